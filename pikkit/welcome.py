"""`python -m pikkit.welcome`: waits until the service answers, then says what to open, which models serve, what is off.

`make serve` starts it beside the service, so that these are the last lines a newcomer sees.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from pikkit.settings import Settings, WrongSetting

__all__ = ["lines", "main"]

_PATIENCE_S = 60.0


def lines(settings: Settings, health: Mapping[str, Any]) -> Iterator[str]:
    """What to open, which models serve and from where, and each thing that is off with the setting that turns it on."""
    url = f"http://127.0.0.1:{settings.port}"
    warning = " (starter models, trained on simulated bets: do not stake money on them)"
    starter = warning if health["starter_models"] else ""
    yield f"Open {url} to grade bets; {url}/docs describes the API. Ctrl+C stops the service."
    yield f"Models: {health['model_timestamp']} from {health['model_source']}{starter}."
    yield f"History: {health['history']}."
    off = list(_off(settings, health))
    if off:
        yield f"Off: {'; '.join(off)}."


def _off(settings: Settings, health: Mapping[str, Any]) -> Iterator[str]:
    if health["alerts"] != "on":
        yield f"alerts ({health['alerts'].removeprefix('off, because ')})"
    if not settings.api_keys:
        yield "keys, so whoever reaches the port may ask (API_KEYS)"
    if health["history"] == "no betting history":
        yield "history, so no A or B without another price (import_models.py --bets FILE)"
    if not settings.prediction_log:
        yield "the log of predictions (PREDICTION_LOG=true)"


def main() -> None:
    """Wait for /health, at most a minute, and print; silent where the service never comes (it says why itself)."""
    try:
        settings = Settings.load()
    except WrongSetting:
        return
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/health", timeout=2) as answer:
                health = json.load(answer)
        except (OSError, ValueError):
            time.sleep(0.2)
            continue
        sys.stdout.write("\n" + "\n".join(lines(settings, health)) + "\n")
        return


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()

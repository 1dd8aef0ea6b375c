"""`python -m pikkit.serve`: check the settings, then become `bentoml serve` with what a proxy in front needs.

The service itself needs none of it: it can be started by `bentoml serve service:PikkitMlApi` directly.

Example: PORT=8001 WORKERS=2 python -m pikkit.serve

Exit codes: 1 a setting is wrong, and the message says which; 2 an option is wrong; else those of `bentoml serve`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from pikkit.settings import Settings

__all__ = ["command", "main"]

KEEP_ALIVE_S = 75  # above the proxy's upstream keep-alive (60 s), so that it never reuses a connection that ends
GRACE_S = 35  # a little above the longest request


def command(settings: Settings, target: str = "service:PikkitMlApi", *, reload: bool = False) -> list[str]:
    """The `bentoml serve` command line for these settings."""
    arguments = [sys.executable, "-m", "bentoml", "serve", target]
    arguments += ["--host", settings.bind_host, "--port", str(settings.port)]
    arguments += ["--timeout-keep-alive", str(KEEP_ALIVE_S), "--timeout-graceful-shutdown", str(GRACE_S)]
    return [*arguments, "--reload"] if reload else arguments


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    """Parse, check the settings, and hand the process over to BentoML."""
    parser = argparse.ArgumentParser(
        "python -m pikkit.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reload", action="store_true", help="start anew when a file of the code changes")
    asked = parser.parse_args(arguments)
    try:
        settings = Settings.load()
    except (ValidationError, ValueError) as error:
        sys.exit(f"settings: {error}")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker per core: threads of one would only fight the others
    line = command(settings, reload=asked.reload)
    os.execv(line[0], line)  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main()

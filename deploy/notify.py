"""Word of how an operation ended. `python -m deploy.notify TEXT` tells it to a Telegram chat.

TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID name bot and chat; without them it says so and ends well, so that a fork's
pipeline needs neither.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

import httpx

from deploy.journal.lock import host
from deploy.settings import DeploySettings

__all__ = ["notify", "send_word"]

_API = "https://api.telegram.org"
_LIMIT = 4096
_TIMEOUT_S = 10.0


def notify(text: str, environment: Mapping[str, str]) -> str:
    """Send the message; returns what became of it.

    Raises:
        RuntimeError: Telegram did not take it; the text holds no secret.
    """
    token, chat = environment.get("TELEGRAM_BOT_TOKEN"), environment.get("TELEGRAM_CHAT_ID")
    if not token or not chat:
        return "no message: TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are not set"
    url = f"{environment.get('TELEGRAM_API_URL') or _API}/bot{token}/sendMessage"
    _post(url, {"chat_id": chat, "text": text[:_LIMIT]}, name="Telegram")
    return "the message was taken"


def send_word(settings: DeploySettings, text: str, environment: Mapping[str, str]) -> None:
    """Tell whoever DEPLOY_NOTIFY_URL names, if anybody.

    Raises:
        RuntimeError: it was not taken; the text holds no secret.
    """
    url = settings.notify_url.get_secret_value() if settings.notify_url else None
    text = f"Pikkit ML API on {host()}: {text}"
    if url == "telegram":
        notify(text, environment)
    elif url:
        _post(url, {"text": text})


def _post(url: str, body: Mapping[str, str], *, name: str = "DEPLOY_NOTIFY_URL") -> None:
    """Send JSON to an address that is a secret itself."""
    try:
        answer = httpx.post(url, json=dict(body), timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RuntimeError(f"{name} did not answer ({type(error).__name__})") from None
    if not answer.is_success:
        raise RuntimeError(f"{name} refused the message with {answer.status_code}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("words", nargs="+", help="what Telegram is told")
    try:
        sys.stdout.write(notify(" ".join(asked.parse_args().words), os.environ) + "\n")
    except RuntimeError as error:
        sys.exit(str(error))

"""Alerts to an n8n webhook, signed."""

from __future__ import annotations

import hashlib
import hmac

import httpx

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.port import Later, js_json, later_or_refused, network_reason

__all__ = ["SIGNATURE_HEADER", "N8nWebhook", "signature"]

SIGNATURE_HEADER = "X-Pikkit-Signature"
_TIMEOUT_S = 10.0


def signature(secret: str, body: str) -> str:
    """HMAC-SHA256 of the body (UTF-8), in hex."""
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


class N8nWebhook:
    """Posts the payload; n8n's workflow routes it on."""

    channel = "n8n"

    def __init__(self, url: str, secret: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._secret = secret
        self._client = httpx.Client(timeout=_TIMEOUT_S, transport=transport)

    def send(self, alert: Alert) -> None:
        """Post the alert.

        Raises:
            Later: no answer, 5xx, 408, 425 or 429.
            Refused: another 4xx.
        """
        body = js_json(alert.payload)
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.alert_id}
        if self._secret:
            headers[SIGNATURE_HEADER] = signature(self._secret, body)
        try:
            answer = self._client.post(self._url, content=body.encode(), headers=headers)
        except httpx.HTTPError as error:
            raise Later(network_reason(error)) from None
        if not answer.is_success:
            raise later_or_refused(answer.status_code, answer.headers, answer.text)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

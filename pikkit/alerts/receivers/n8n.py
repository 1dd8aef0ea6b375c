"""Alerts to an n8n webhook, signed."""

from __future__ import annotations

import hashlib
import hmac
import json

import httpx

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.deadline import client
from pikkit.alerts.receivers.port import Later, later_or_refused, network_failure, refuse_pages, wait_of

__all__ = ["SIGNATURE_HEADER", "N8nWebhook", "signature"]

SIGNATURE_HEADER = "X-Pikkit-Signature"
_NOT_FOUND = 404


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class N8nWebhook:
    """Posts the payload; n8n's workflow claims it, shows it and stores it."""

    channel = "n8n"

    def __init__(self, url: str, secret: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._secret = secret
        self._client = client(transport)

    def send(self, alert: Alert) -> None:
        """Post the alert.

        Raises:
            Later: no answer, 5xx, 408, 425, 429; 404, as n8n answers while it starts and its workflow is not active.
            Refused: another 4xx, a permanent redirect, a web page.
        """
        body = json.dumps(alert.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.alert_id}
        if self._secret:
            headers[SIGNATURE_HEADER] = signature(self._secret, body)
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        if answer.is_success:
            refuse_pages(answer)
            return
        failure = later_or_refused(answer.status_code, answer.headers, answer.text)
        if answer.status_code == _NOT_FOUND:
            raise Later(failure.reason, wait_of(answer.headers.get("retry-after")))
        raise failure

    def close(self) -> None:
        """Close connections."""
        self._client.close()

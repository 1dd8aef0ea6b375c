"""Looks at a slot over HTTP: health, models, predictions, metrics. Uses the contract and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Probe"]


class Probe:
    """Each method answers None when the slot doesn't answer as it should: expected here, not an error.

    `api_key` is sent with everything: in production a slot answers no bet without one.
    """

    def __init__(
        self, *, api_key: str | None = None, timeout_s: float = 5.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        # Slots are plain HTTP on loopback: loading certificates would cost each command 0.1 s.
        self._client = httpx.Client(
            headers={"x-api-key": api_key} if api_key else {},
            timeout=timeout_s,
            trust_env=False,
            transport=transport,
            verify=False,  # noqa: S501
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def ready(self, url: str) -> bool:
        """Whether /ready answers 200."""
        return self._text(f"{url}/ready") is not None

    def health(self, url: str) -> Mapping[str, Any] | None:
        """Body of /health, of a 503 too."""
        return self._json("GET", f"{url}/health")

    def model_info(self, url: str) -> Mapping[str, Any] | None:
        """Body of /api/v1/model-info."""
        return self._json("GET", f"{url}/api/v1/model-info")

    def predict(self, url: str, bet: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A prediction that raises no alert."""
        return self._json("POST", f"{url}/api/v1/predict?dry_run=true", json=dict(bet))

    def metrics(self, url: str) -> str | None:
        """Text of /metrics."""
        return self._text(f"{url}/metrics")

    def active_requests(self, url: str) -> float | None:
        """Requests in progress over all workers of the slot; None where it does not tell."""
        families = text_string_to_metric_families(self.metrics(url) or "")
        told = [one.value for family in families for one in family.samples if one.name == "pikkit_active_requests"]
        return sum(told) if told else None  # a gauge that no worker has set says nothing

    def _text(self, url: str) -> str | None:
        try:
            answer = self._client.get(url)
        except httpx.HTTPError:
            return None
        return answer.text if answer.status_code == httpx.codes.OK else None

    def _json(self, method: str, url: str, **more: Any) -> Mapping[str, Any] | None:
        try:
            body = self._client.request(method, url, **more).json()
        except (httpx.HTTPError, ValueError):
            return None
        return body if isinstance(body, dict) else None

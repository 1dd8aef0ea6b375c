"""BentoML's own settings for the service, by what was measured to matter."""

from __future__ import annotations

from typing import Any

from pikkit.settings import Settings

__all__ = ["BATCH_PATH", "PREDICT_PATH", "service_config"]

PREDICT_PATH = "/api/v1/predict"
BATCH_PATH = "/api/v1/batch-predict"


def service_config(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `bentoml.service`.

    BentoML's metrics (raw paths as labels: a scanner makes endless series), access log and time-outs are off: the
    gateway does these. OpenTelemetry's middleware costs more than a prediction, so it is on only where traces go
    somewhere.
    """
    tracing: dict[str, Any] = {"sample_rate": 0.0, "excluded_urls": ".*"}
    if settings.otlp_endpoint:
        tracing = {
            "exporter_type": "otlp",
            "sample_rate": 1.0,
            "otlp": {"protocol": "http", "endpoint": str(settings.otlp_endpoint)},
        }
    return {
        "workers": settings.workers,
        "traffic": {"timeout": 3600.0},
        "metrics": {"enabled": False},
        "logging": {"access": {"enabled": False}},
        "tracing": tracing,
        "endpoints": {"livez": "/live", "readyz": "/ready"},
    }

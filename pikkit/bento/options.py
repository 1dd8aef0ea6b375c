"""BentoML's own options for the service: ours by what was measured to matter, and what becomes of a user's."""

from __future__ import annotations

from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLConfigException

from pikkit.settings import Settings

__all__ = ["BATCHABLE", "check", "needs_layers", "service_options"]

_TIMEOUT_S = 35.0  # BentoML keeps a timer and its task's frame this long for every request that goes through it
BATCHABLE = {
    "batchable": True,
    "max_batch_size": 16,  # requests of up to 100 bets
    "max_latency_ms": 60_000,  # a shedding threshold, not a wait: the gateway bounds the load instead
}


def service_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `bentoml.service`.

    BentoML's access log and metrics are off: the gateway does these. OpenTelemetry's middleware costs more than a
    prediction, so it is on only where traces go somewhere.
    """
    tracing: dict[str, Any] = {"sample_rate": 0.0, "excluded_urls": ".*"}
    if settings.otlp_endpoint:
        tracing = {
            "exporter_type": "otlp",
            "sample_rate": 1.0,
            "otlp": {"protocol": "http", "endpoint": str(settings.otlp_endpoint)},
        }
    address = {"host": settings.bind_host, "port": settings.port}
    named = {"bind_host": "host", "port": "port"}
    return {
        "workers": settings.workers,
        "traffic": {"timeout": _TIMEOUT_S},
        "metrics": {"enabled": False},
        "logging": {"access": {"enabled": False}},
        "tracing": tracing,
        "endpoints": {"livez": "/live", "readyz": "/ready"},
        # What was not set is BentoML's to choose: in a container it listens on every address.
        "http": {named[name]: address[named[name]] for name in named.keys() & settings.model_fields_set},
    }


def check(name: str) -> None:
    """Refuse what a user set for the service `name` in BENTOML_CONFIG or BENTOML_CONFIG_OPTIONS and would not get.

    Raises:
        BentoMLConfigException: names the option and what to set instead.
    """
    set_by_user = effective(name)
    for option, instead in _REFUSED.items():
        if _value(set_by_user, option):
            raise BentoMLConfigException(f"services.{name}.{option} has no effect on this service: {instead}")


def needs_layers(name: str) -> bool:
    """Whether an option of the service `name` is set that only BentoML's own layers honour."""
    values = effective(name)
    return any(_value(values, option) for option in _OF_LAYERS) or _value(values, "traffic.timeout") != _TIMEOUT_S


def effective(name: str) -> dict[str, Any]:
    """The options of the service `name` after BentoML has merged its own, ours and the user's."""
    values: dict[str, Any] = BentoMLContainer.config.services[name].get()
    return values


def workers(name: str) -> int:
    """How many worker processes there are to be."""
    asked = effective(name).get("workers") or 1
    if isinstance(asked, int):
        return asked
    from bentoml._internal.resource import CpuResource  # noqa: PLC0415 - costs an import that only cpu_count needs

    return int(CpuResource.from_system()) or 1  # as BentoML itself counts


def _value(values: Any, option: str) -> Any:
    for part in option.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


_OF_LAYERS = (
    "traffic.max_concurrency",
    "logging.access.enabled",
    "metrics.enabled",
    "tracing.exporter_type",
    "http.response.trace_id",
)
_REFUSED = {
    "http.cors.enabled": "set CORS_ORIGINS",
    "batching": "set BATCHING",
}

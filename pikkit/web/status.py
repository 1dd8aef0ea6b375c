"""What the service says of itself: health, readiness, the model set, drift."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pikkit.bets.times import utc_text
from pikkit.errors import ModelError, ModelsNotLoaded, ModelsRefused
from pikkit.models.hub import ReloadResult, ReloadStatus
from pikkit.models.model_set import ModelSet
from pikkit.settings import Settings
from pikkit.web.schemas import HealthBody, ModelInfoBody, ReloadBody

__all__ = ["Hub", "Status"]


class Hub(Protocol):
    """The port to whatever holds the model set of the moment (`pikkit.models.hub.ModelHub`)."""

    @property
    def current(self) -> ModelSet | None:
        """The set that serves; None before the first."""
        ...

    def status(self) -> ReloadStatus:
        """How the last looks at MODEL_DIR went."""
        ...

    async def reload_now(self) -> ReloadResult:
        """Look at MODEL_DIR now."""
        ...


class Status:
    """Answers of the routes that report on the service."""

    def __init__(
        self,
        settings: Settings,
        hub: Hub,
        *,
        drift: Callable[[], Mapping[str, Any]],
        alerts: Callable[[], str] = lambda: "off, because there are none",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._drift = drift
        self._alerts = alerts
        self._clock = clock
        self._started = clock()
        self.warmed = False

    def ready(self) -> bool:
        """Whether a model set is loaded and has predicted once."""
        return self.warmed and self._hub.current is not None

    def health(self) -> HealthBody:
        """Body of /health. `degraded` means that it serves with a fault, or not at all without models."""
        models = self._hub.current
        reload = self._hub.status()
        return {
            "status": "healthy" if models and not reload.reload_error else "degraded",
            "models_loaded": models is not None,
            "model_timestamp": models.version if models else None,
            "environment": self._settings.environment,
            "version": self._settings.app_version,
            "uptime_seconds": round(self._clock() - self._started, 1),
            "deployment": self._settings.deployment,
            "reload_error": reload.reload_error,
            "history": _history(models) if models else None,
            "starter_models": models.starter if models else None,
            "model_source": models.source if models else None,
            "alerts": self._alerts(),
        }

    def model_info(self) -> ModelInfoBody:
        """Body of /api/v1/model-info.

        Raises:
            ModelsNotLoaded: there is no set yet.
        """
        models = self._hub.current
        if models is None:
            raise ModelsNotLoaded("no model set is loaded yet")
        loaded_at = self._hub.status().loaded_at
        return {
            "metadata": {name: value for name, value in models.metadata.items() if name not in _LONG},
            "feature_names": list(models.spec.names),
            "feature_count": len(models.spec.names),
            "loaded_at": utc_text(loaded_at, "seconds") if loaded_at else None,
            "encoders": models.metadata.get("encoders", {}),
            "bundle_tag": models.tag,
            "sha256": models.sha256,
            "starter_models": models.starter,
            "model_source": models.source,
            "history_size": models.history.size,
            "history": _history(models),
        }

    async def reload(self) -> ReloadBody:
        """Body of /api/v1/reload-models.

        Raises:
            ModelsRefused: what lies in MODEL_DIR can't be used; the old set keeps serving.
        """
        try:
            result = await self._hub.reload_now()
        except ModelError as error:
            raise ModelsRefused(error.message) from error
        return {
            "status": "success",
            "message": result.message,
            "changed": result.changed,
            "model_version": result.version,
        }

    def drift(self) -> Mapping[str, Any]:
        """Body of /api/v1/drift-report."""
        return self._drift()


_LONG = frozenset({"encoders", "baseline", "features"})


def _history(models: ModelSet) -> str:
    return f"{models.history.size} settled bets" if models.history.size else "no betting history"

"""The one table of routes, read by gateway, router, OpenAPI, CORS and metrics. What it lacks is not served.

A row is a path with a method; GET answers HEAD too, without effects and without a body. Paths are matched on the
decoded path, exactly: no trailing slash, no dot segments, no other case, no redirect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from starlette.responses import Response

from pikkit.telemetry.metrics import OTHER
from pikkit.web.handlers import ASSETS, Handlers
from pikkit.web.request import Request

__all__ = ["BATCH", "PREDICT", "ROUTES", "Route", "allowed", "endpoints", "find"]

Handler = Callable[[Handlers, Request], Awaitable[Mapping[str, Any] | Response]]
PREDICT = "/api/v1/predict"
BATCH = "/api/v1/batch-predict"


@dataclass(frozen=True, slots=True)
class Route:
    """One row: what is served, how it is counted, and who may ask for it."""

    method: Literal["GET", "POST"]
    path: str
    endpoint: str = OTHER  # label of the metrics
    handler: Handler | None = None  # None: BentoML answers
    needs: Literal["key", "token"] | None = None  # an API key where some are set, or the admin token
    raises_alerts: bool = False
    slow: bool = False  # bounded by the work's own time limit instead of REQUEST_TIMEOUT
    probe: bool = False  # neither limited nor logged nor counted as load

    @property
    def served_by_bentoml(self) -> bool:
        """Whether BentoML has a route of its own for this path and method, be it for one of the service's APIs."""
        return self.handler is None or (self.method == "POST" and self.path in (PREDICT, BATCH))

    @property
    def in_reference(self) -> bool:
        """Whether it is described to callers: ours, and no file of the pages."""
        return self.handler is not None and self.path not in ASSETS


def _swagger() -> tuple[str, ...]:
    """Files of the Swagger UI that BentoML carries, as it serves them."""
    folder = files("bentoml._internal.server") / "static_content"
    return tuple(sorted(f"/static_content/{file.name}" for file in folder.iterdir() if file.is_file()))


def _page(path: str, handler: Handler) -> Route:
    return Route("GET", path, handler=handler)


ROUTES: tuple[Route, ...] = (
    Route("POST", PREDICT, "predict", Handlers.predict, needs="key", raises_alerts=True),
    Route("GET", PREDICT, "predict", Handlers.predict_query, needs="key"),
    Route("POST", BATCH, "batch-predict", Handlers.batch_predict, needs="key", raises_alerts=True),
    Route("GET", "/ml-predict", "ml-predict", Handlers.legacy_predict, needs="key", raises_alerts=True),
    Route("POST", "/batch-predict", "legacy-batch-predict", Handlers.legacy_batch, needs="key", raises_alerts=True),
    Route("GET", "/api/v1/model-info", "model-info", Handlers.model_info, needs="key"),
    Route("GET", "/api/v1/drift-report", "drift-report", Handlers.drift_report, needs="key"),
    Route("POST", "/api/v1/reload-models", "reload-models", Handlers.reload_models, needs="token", slow=True),
    Route("GET", "/health", "health", Handlers.health, probe=True),
    Route("GET", "/ready", "ready", Handlers.ready, probe=True),
    Route("GET", "/live", "live", Handlers.live, probe=True),
    Route("GET", "/metrics", "metrics", Handlers.metrics, probe=True),
    _page("/openapi.json", Handlers.openapi),
    _page("/", Handlers.index_page),
    _page("/docs", Handlers.docs_page),
    _page("/drift", Handlers.drift_page),
    *(_page(path, Handlers.asset) for path in sorted(ASSETS)),
    # BentoML's own: its clients and its Swagger page ask for them.
    *(Route("GET", path) for path in ("/docs.json", "/schema.json", "/livez", "/readyz", "/healthz", *_swagger())),
)

_BY_PATH: Mapping[str, Mapping[str, Route]] = MappingProxyType(
    {
        route.path: {
            method: other
            for other in ROUTES
            if other.path == route.path
            for method in ((other.method, "HEAD") if other.method == "GET" else (other.method,))
        }
        for route in ROUTES
    }
)
find = _BY_PATH.get  # the rows of a path by method; None: not served


def allowed(path: str) -> tuple[str, ...]:
    """The methods of a path, in the order of their names."""
    return tuple(sorted(_BY_PATH[path]))


def endpoints() -> tuple[str, ...]:
    """The labels of the metrics."""
    return tuple({route.endpoint: None for route in ROUTES if route.endpoint != OTHER})

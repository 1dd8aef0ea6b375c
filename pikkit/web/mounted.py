"""The routes of the table as a Starlette application, for BentoML to mount: what goes through its layers ends here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from pikkit.errors import PikkitError
from pikkit.web.exchange import error_response
from pikkit.web.handlers import Handlers, json_response
from pikkit.web.request import CALLER, Request
from pikkit.web.routes import ROUTES, Route

__all__ = ["mounted", "request_of"]


def mounted(handlers: Callable[[], Handlers]) -> Starlette:
    """An application of all routes but BentoML's own and the service's APIs; `handlers` is asked at each request."""
    ours = [route for route in ROUTES if not route.served_by_bentoml]
    return Starlette(
        routes=[StarletteRoute(route.path, _endpoint(route, handlers), methods=[route.method]) for route in ours]
    )


def _endpoint(route: Route, handlers: Callable[[], Handlers]) -> Callable[[StarletteRequest], Awaitable[Response]]:
    handle = route.handler
    assert handle is not None  # noqa: S101 - BentoML's own are not mounted

    async def endpoint(request: StarletteRequest) -> Response:
        try:
            answer = await handle(handlers(), await request_of(route, request))
        except PikkitError as error:
            return error_response(error)
        return answer if isinstance(answer, Response) else json_response(answer)

    return endpoint


async def request_of(route: Route, request: StarletteRequest) -> Request:
    """The request as it is after all layers in front."""
    return Request(
        route.path,
        await request.body(),
        request.scope["query_string"],
        dict(reversed(request.scope["headers"])),
        route.raises_alerts,
        request.method == "HEAD",
        request.scope.get(CALLER, ""),
    )

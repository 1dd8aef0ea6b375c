"""The outermost ASGI layer: what holds for every request, whatever answers it.

Request id, CORS, API key, body type and size, limit of requests in progress, time-out, one error shape (for
BentoML's own errors too), metrics and the access log. Handlers behind it find the whole body, checked, in
`scope["state"]["body"]`.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import re
import time
from collections.abc import Callable, Mapping

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pikkit.errors import (
    BodyTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PikkitError,
    TimedOut,
    Unauthorized,
    UnsupportedMedia,
)
from pikkit.settings import Settings
from pikkit.telemetry.logs import access, get_logger
from pikkit.telemetry.metrics import PROBES, Metrics
from pikkit.web.cors import Cors, RawHeaders
from pikkit.web.hot import Answer

__all__ = ["MAX_BODY", "Gateway"]

MAX_BODY = 1024 * 1024
_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_RETRY_AFTER_S = b"1"
_SHOWN_PATH = 100
_OWN_BODIES = frozenset({"/health", "/ready"})  # a 503 of theirs is an answer, not an error
_JSON = (b"content-type", b"application/json")
_DROPPED = frozenset({b"server", b"x-bentoml-request-id"})

# Endpoints by path: the label of the metrics, so that a scanner's paths make no series.
_ENDPOINTS: Mapping[str, str] = {
    "/api/v1/predict": "predict",
    "/api/v1/batch-predict": "batch-predict",
    "/api/v1/model-info": "model-info",
    "/api/v1/reload-models": "reload-models",
    "/api/v1/drift-report": "drift-report",
    "/ml-predict": "ml-predict",
    "/batch-predict": "legacy-batch-predict",
    "/health": "health",
    "/ready": "ready",
    "/live": "live",
    "/metrics": "metrics",
}
# What each path takes. Starlette and BentoML would tell, each for its own routes and in its own way.
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ENDPOINTS, ("GET", "HEAD")),
    "/api/v1/predict": ("GET", "HEAD", "POST"),
    "/api/v1/batch-predict": ("POST",),
    "/batch-predict": ("POST",),
    "/api/v1/reload-models": ("POST",),
    **dict.fromkeys(("/", "/docs", "/drift", "/openapi.json"), ("GET", "HEAD")),
}
_KEYED = frozenset({"predict", "batch-predict", "ml-predict", "legacy-batch-predict", "model-info", "drift-report"})
_SLOW = frozenset({"reload-models"})  # bounded by the importer's own time limit

RawFields = Mapping[bytes, bytes]  # header fields by lower-case name

_log = get_logger("pikkit.gateway")


class Gateway:
    """ASGI middleware around the whole service."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        metrics: Metrics,
        prepare: Mapping[str, Callable[[Scope], None]],
        hot: Mapping[str, Answer],
    ) -> None:
        """Wrap `app`.

        `prepare` checks requests of a path before the application sees them: BentoML would answer what its APIs
        raise in its own way, with a traceback in the log. POST requests of the paths in `hot` are answered by it,
        without the application.
        """
        self._app = app
        self._prepare = prepare
        self._hot = hot
        self._metrics = metrics
        self._cors = Cors(settings.cors_origins)
        self._keys = tuple(key.get_secret_value().encode() for key in settings.api_keys)
        self._limit = settings.max_concurrency
        self._timeout = settings.request_timeout
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan" and self._hot and isinstance(scope.get("app"), Starlette):
                self._come_first(scope["app"])
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        headers = dict(reversed(scope["headers"]))  # the first of a name counts
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        identifier = given if _SANE_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        endpoint = _ENDPOINTS.get(scope["path"], "other")
        origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
        exchange = _Exchange(scope, send, identifier, self._cors.headers(origin))
        scope["state"] = {**scope.get("state", {}), "request_id": identifier, "body": b""}
        counted = endpoint not in PROBES
        if counted:
            self._metrics.begin()
            self._active += 1
        try:
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await exchange.preflight(self._cors.preflight(Headers(scope=scope)))
            else:
                await self._serve(scope, receive, exchange, headers, endpoint)
        finally:
            self._active -= counted
            seconds = time.perf_counter() - begin
            self._metrics.end(endpoint, exchange.status, seconds, identifier)
            if exchange.error_code:
                self._metrics.error(exchange.error_code)
            access(
                method=scope["method"],
                path=scope["path"],
                status=exchange.status,
                seconds=seconds,
                request_id=identifier,
                error=exchange.error_code,
            )

    def _come_first(self, outermost: Starlette) -> None:
        """Take the hot routes before the layers that BentoML puts around its middlewares.

        Among them is its time-out: a task for each request, and a timer that outlives it by the whole time.
        """
        layers = outermost.middleware_stack
        assert layers is not None  # noqa: S101 - they are calling
        hot = self._hot

        async def first(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] in hot and scope["method"] == "POST":
                await self(scope, receive, send)
            else:
                await layers(scope, receive, send)

        outermost.middleware_stack = first

    async def _serve(
        self, scope: Scope, receive: Receive, exchange: _Exchange, headers: RawFields, endpoint: str
    ) -> None:
        try:
            allowed = _ALLOWED.get(scope["path"])
            if allowed is not None and scope["method"] not in allowed:
                allow = [(b"allow", ", ".join(allowed).encode())]
                await exchange.fail(_foreign(MethodNotAllowed.status, scope), allow)
                return
            self._admit(headers, endpoint)
            if scope["method"] in ("POST", "PUT", "PATCH"):
                async with asyncio.timeout(None if endpoint in _SLOW else self._timeout):
                    body = await _read(receive, headers)
                    if scope["method"] == "POST" and scope["path"] in self._hot:
                        await exchange.answer(await self._hot[scope["path"]](body, scope["query_string"]))
                        return
                    scope["state"]["body"] = body
                    if scope["path"] in self._prepare:
                        self._prepare[scope["path"]](scope)
                    await self._app(scope, _replay(body, receive), exchange.send)
            else:
                await self._app(scope, receive, exchange.send)
        except PikkitError as error:
            await exchange.fail(error)
        except TimeoutError:
            await exchange.fail(TimedOut(f"no answer within {self._timeout:g} s: try again"))
        except Exception as cause:  # noqa: BLE001 - the last line of defence: logged, and answered in our shape
            _log.error("request failed", request_id=exchange.identifier, path=scope["path"], exc_info=cause)
            await exchange.fail(InternalError("the service failed on this request; the log has the cause"))

    def _admit(self, headers: RawFields, endpoint: str) -> None:
        if endpoint not in PROBES and self._active > self._limit:
            raise Overloaded(f"{self._limit} requests are in progress already: try again after Retry-After")
        if not self._keys or endpoint not in _KEYED:
            return
        given = headers.get(b"x-api-key", b"")
        if not given:
            raise Unauthorized("no API key: send it in the header X-API-Key")
        if not any([hmac.compare_digest(given, key) for key in self._keys]):  # noqa: C419 - all, in constant time
            raise Unauthorized("the API key in X-API-Key is not known here")


class _Exchange:
    """One response on its way out: adds the common headers, replaces foreign errors, remembers the status."""

    def __init__(self, scope: Scope, send: Send, identifier: str, cors: RawHeaders) -> None:
        self._scope = scope
        self._send = send
        self._common = [(b"x-request-id", identifier.encode()), (b"x-content-type-options", b"nosniff"), *cors]
        self._replacing = False
        self.identifier = identifier
        self.status = 0
        self.error_code: str | None = None

    async def send(self, message: Message) -> None:
        """ASGI send for the application behind the gateway."""
        if message["type"] == "http.response.start":
            if message["status"] >= 400 and self._scope["path"] not in _OWN_BODIES:  # noqa: PLR2004
                self._replacing = True
                allow = [pair for pair in message["headers"] if pair[0] == b"allow"]
                await self.fail(_foreign(message["status"], self._scope), allow)
                return
            self.status = message["status"]
            kept = [pair for pair in message["headers"] if pair[0] not in _DROPPED]
            await self._send({**message, "headers": kept + self._common})
        elif not self._replacing:
            await self._send(message)

    async def fail(self, error: PikkitError, more: RawHeaders | None = None) -> None:
        """Answer with an error, unless an answer is on its way already."""
        if self.status:
            return
        self.error_code = error.code
        body = to_json({"error": error.body(self.identifier)})
        headers = [_JSON, (b"content-length", b"%d" % len(body)), *(more or [])]
        if error.status == Overloaded.status:
            headers.append((b"retry-after", _RETRY_AFTER_S))
        await self._answer(error.status, headers, body)

    async def answer(self, body: bytes) -> None:
        """Answer with JSON."""
        await self._answer(200, [_JSON, (b"content-length", b"%d" % len(body))], body)

    async def preflight(self, headers: RawHeaders) -> None:
        """Answer a CORS preflight."""
        await self._answer(204, headers, b"")

    async def _answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers + self._common})
        await self._send({"type": "http.response.body", "body": body})


def _foreign(status: int, scope: Scope) -> PikkitError:
    """Our error for one that Starlette or BentoML answered."""
    path = scope["path"][:_SHOWN_PATH]
    if status == NotFound.status:
        return NotFound(f"nothing is served at {path!r}: see /docs")
    if status == MethodNotAllowed.status:
        return MethodNotAllowed(f"{scope['method'][:20]} is not served at {path!r}: see /docs")
    if status == Overloaded.status:
        return Overloaded("the service is busy: try again after Retry-After")
    if status == TimedOut.status:
        return TimedOut("no answer in time: try again")
    return InternalError("the service failed on this request; the log has the cause")


async def _read(receive: Receive, headers: RawFields) -> bytes:
    """The whole body.

    Raises:
        UnsupportedMedia: it is not JSON by its content type.
        BodyTooLarge: it has more than MAX_BODY bytes.
    """
    given = headers.get(b"content-type", b"application/json")
    media = given if given == b"application/json" else given.split(b";")[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        raise UnsupportedMedia(
            f"a body of type {media[:80].decode('latin-1')!r} is not read here: send JSON as application/json"
        )
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise TimedOut("the connection was closed before the body was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body is over {MAX_BODY} bytes: send at most 100 bets a request")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that hands out the body that was read, then whatever comes after it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay

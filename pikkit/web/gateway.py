"""The outermost ASGI layer: what holds for every request, whatever answers it.

The route, found once in the one table; request id, CORS, API key or admin token, body type, size and deadline, limit
of requests in progress, time-out, one error shape (for BentoML's own errors too), metrics and the access log.

Handlers are called from here, without BentoML's layers, where nothing of the user's stands among them; else BentoML's
application is asked, with the body read and admitted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import re
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import orjson
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pikkit.errors import (
    BodyTooLarge,
    Forbidden,
    InternalError,
    Overloaded,
    PikkitError,
    TimedOut,
    TooSlow,
    Unauthorized,
    UnsupportedMedia,
)
from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.logs import access, get_logger
from pikkit.telemetry.metrics import OTHER, Metrics
from pikkit.web.cors import Cors, RawHeaders
from pikkit.web.exchange import CLIENT_GONE, JSON, Exchange, method_not_allowed, not_found
from pikkit.web.handlers import Handlers
from pikkit.web.request import CALLER, Request
from pikkit.web.routes import Route, allowed, find

__all__ = ["MAX_BODY", "Gateway"]

MAX_BODY = 1024 * 1024
BODY_DEADLINE_S = 10.0  # for a body to arrive whole
_MOST_BUFFERED = 64 * MAX_BODY  # of all bodies that are on their way
_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_MOST_ORIGINS = 100  # whose headers are kept ready
_PLAIN_JSON = b"application/json"
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_UTF_8 = frozenset({b"utf-8", b"utf8"})

RawFields = Mapping[bytes, bytes]  # header fields by lower-case name

_log = get_logger("pikkit.gateway")


class ClientGone(Exception):
    """The client closed the connection before its body was complete."""


class Gateway:
    """ASGI middleware around the whole service."""

    def __init__(
        self, app: ASGIApp, handlers: Handlers, *, settings: Settings, metrics: Metrics, shortcut: bool = True
    ) -> None:
        """Wrap `app`.

        Args:
            app: BentoML's application.
            handlers: what the routes do.
            settings: keys, origins, limits.
            metrics: counts requests.
            shortcut: call the handlers from here; without it every request goes through `app`.
        """
        self._app = app
        self._handlers = handlers
        self._shortcut = shortcut
        self._metrics = metrics
        self._cors = Cors(settings.cors_origins)
        self._cors_of: dict[bytes | None, RawHeaders] = {}
        self._keys = tuple(key.get_secret_value().encode() for key in settings.api_keys)
        self._callers = {key: hashlib.sha256(key).hexdigest()[:8] for key in self._keys}
        self._token = settings.admin_token.get_secret_value().encode() if settings.admin_token else None
        self._open = settings.environment != "production"
        self._limit = settings.max_concurrency
        self._logged = metrics.later(access).append if settings.access_log else None
        self._timeout = settings.request_timeout
        self._active = 0
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":  # no row of the table is one
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        headers = dict(reversed(scope["headers"]))  # the first of a name counts
        given = headers.get(b"x-request-id")
        sane = given is not None and _SANE_ID.fullmatch(given.decode("latin-1"))
        identifier = sane[0] if sane else f"{random.getrandbits(64):016x}"
        rows = find(scope["path"])
        route = rows.get(scope["method"]) if rows else None
        origin = headers.get(b"origin")
        cors = self._cors_of.get(origin)
        counted = route is None or not route.probe
        if cors is None:
            cors = self._cors_headers(origin)
        exchange = Exchange(scope, send, identifier, [(b"x-request-id", identifier.encode()), *cors], not counted)
        metrics, worker = self._metrics, self._metrics.worker
        metrics.in_progress += counted
        if not worker.is_due:
            worker.flush_soon()
        try:
            if route is not None:
                await self._answer_or_fail(self._serve(route, scope, receive, exchange, headers), exchange)
            else:
                await self._answer_or_fail(self._turn_away(scope, exchange, headers, known=rows is not None), exchange)
        finally:
            metrics.in_progress -= counted
            answered = Answered(
                route.endpoint if route else next(iter(rows.values())).endpoint if rows else OTHER,
                exchange.status,
                time.perf_counter() - begin,
                identifier,
                exchange.error_code,
                scope["method"],
                scope["path"],
                time.time(),
                exchange.context,
            )
            metrics.answered(answered)
            if self._logged is not None and (counted or exchange.status >= InternalError.status):
                self._logged(answered)
            if not worker.is_due:
                worker.flush_soon()

    async def _answer_or_fail(self, work: Coroutine[Any, Any, None], exchange: Exchange) -> None:
        try:
            await work
        except PikkitError as error:
            await exchange.fail(error)
        except TimeoutError:
            await exchange.fail(TimedOut(f"no answer within {self._timeout:g} s: try again"))
        except ClientGone:
            exchange.status = exchange.status or CLIENT_GONE
        except Exception as cause:  # noqa: BLE001 - the last line of defence: logged, and answered in our shape
            _log.error("request failed", request_id=exchange.identifier, path=exchange.scope["path"], exc_info=cause)
            await exchange.fail(InternalError("the service failed on this request; the log has the cause"))

    def _cors_headers(self, origin: bytes | None) -> RawHeaders:
        made = [_NO_SNIFFING, *self._cors.headers(None if origin is None else origin.decode("latin-1"))]
        if len(self._cors_of) < _MOST_ORIGINS:
            self._cors_of[origin] = made
        return made

    async def _turn_away(self, scope: Scope, exchange: Exchange, headers: RawFields, *, known: bool) -> None:
        """Answer what is in no row of the table: preflights, wrong methods, unknown paths."""
        if not known:
            raise not_found(scope)
        methods = allowed(scope["path"])
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await exchange.preflight(self._cors.preflight(Headers(scope=scope), methods))
            return
        await exchange.fail(method_not_allowed(scope), [(b"allow", ", ".join(methods).encode())])

    async def _serve(
        self, route: Route, scope: Scope, receive: Receive, exchange: Exchange, headers: RawFields
    ) -> None:
        if route.needs == "token" or (route.needs and self._keys):
            self._admit(route, headers)
        if route.method == "POST":
            _check_type(headers)
        body, read = b"", route.method != "POST"
        limited = not route.probe
        try:
            async with asyncio.timeout(self._timeout) as deadline:
                if not read:
                    body, read = await self._read(receive, headers), True
                if route.slow:
                    deadline.reschedule(None)
                if limited and self._active >= self._limit:
                    raise Overloaded(f"{self._limit} requests are in progress already: try again after Retry-After")
                self._active += limited
                try:
                    dry = scope["method"] == "HEAD"
                    scope[CALLER] = caller = self._callers.get(headers.get(b"x-api-key", b""), "")
                    query = scope["query_string"]
                    request = Request(scope["path"], body, query, headers, route.raises_alerts, dry, caller)
                    await self._answer(route, request, scope, receive, exchange)
                finally:
                    self._active -= limited
        except TimeoutError:
            if read:
                raise
            raise TooSlow(f"the body was not complete within {BODY_DEADLINE_S:g} s: send it faster") from None

    async def _answer(self, route: Route, request: Request, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        if self._shortcut and route.handler is not None:
            answer = await route.handler(self._handlers, request)
            if isinstance(answer, Response):
                await answer(scope, receive, exchange.send)
            else:
                try:
                    content = orjson.dumps(answer)
                except TypeError:  # what was sent, and is sent back, has an integer beyond 64 bits
                    content = to_json(answer, inf_nan_mode="null")
                exchange.status = 200
                headers = [JSON, (b"content-length", b"%d" % len(content)), *exchange.common]
                await exchange.transmit({"type": "http.response.start", "status": 200, "headers": headers})
                shown = b"" if request.dry else content
                await exchange.transmit({"type": "http.response.body", "body": shown})
            return
        await self._app(scope, _replay(request.body, receive), exchange.send)

    def _admit(self, route: Route, headers: RawFields) -> None:
        """Check the key or the token, in constant time.

        Raises:
            Unauthorized, Forbidden: it is missing or wrong.
        """
        if route.needs == "key":
            given = headers.get(b"x-api-key", b"")
            if not given:
                raise Unauthorized("no API key: send it in the header X-API-Key")
            if not any([hmac.compare_digest(given, key) for key in self._keys]):  # noqa: C419 - all, in constant time
                raise Unauthorized("the API key in X-API-Key is not known here")
            return
        if self._token is None:
            if not self._open:
                raise Forbidden("reloading is closed: set ADMIN_TOKEN and send it as 'Authorization: Bearer …'")
            return
        given = headers.get(b"authorization", b"").removeprefix(b"Bearer ") or headers.get(b"x-admin-token", b"")
        if not given:
            raise Unauthorized("no admin token: send it as 'Authorization: Bearer …' or X-Admin-Token")
        if not hmac.compare_digest(given, self._token):
            raise Forbidden("the admin token is wrong")

    async def _read(self, receive: Receive, headers: RawFields) -> bytes:
        """The whole body. One that is still on its way takes no place among the requests in progress.

        Raises:
            BodyTooLarge: it has more than MAX_BODY bytes.
            TooSlow: it was not complete in time.
            ClientGone: the connection was closed before it was complete.
        """
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > MAX_BODY:
            raise _too_large()
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            if len(body) > MAX_BODY:
                raise _too_large()
            return body
        return await self._read_on(message, receive)

    async def _read_on(self, message: Message, receive: Receive) -> bytes:
        chunks = bytearray()
        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                while message["type"] != "http.disconnect":
                    chunk = message.get("body", b"")
                    chunks += chunk
                    self._buffered += len(chunk)
                    if len(chunks) > MAX_BODY:
                        raise _too_large()
                    if self._buffered > _MOST_BUFFERED:
                        raise Overloaded("too many bodies are on their way: try again after Retry-After")
                    if not message.get("more_body", False):
                        return bytes(chunks)
                    message = await receive()
                raise ClientGone
        finally:
            self._buffered -= len(chunks)


def _check_type(headers: RawFields) -> None:
    """Only JSON, plain and in UTF-8.

    Raises:
        UnsupportedMedia: the headers announce something else.
    """
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise UnsupportedMedia(
            f"a body in the content encoding {coding[:40].decode('latin-1')!r} is not read here: send plain JSON"
        )
    given = headers.get(b"content-type", _PLAIN_JSON)
    if given == _PLAIN_JSON:
        return
    media, *parameters = (part.strip().lower() for part in given.split(b";"))
    if media != _PLAIN_JSON and not media.endswith(b"+json"):
        raise UnsupportedMedia(
            f"a body of type {media[:80].decode('latin-1')!r} is not read here: send JSON as application/json"
        )
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip(b' "') not in _UTF_8:
            raise UnsupportedMedia(
                f"a body in the charset {value[:40].decode('latin-1')!r} is not read here: send UTF-8"
            )


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body is over {MAX_BODY} bytes: send at most 100 bets a request")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that hands out the body that was read, then whatever comes after it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay

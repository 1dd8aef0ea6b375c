"""One answer on its way out: the common headers, one error shape for foreign errors too, and its status for the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from pikkit.errors import (
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PikkitError,
    RequestError,
    ServiceError,
    TimedOut,
    Unauthorized,
)
from pikkit.web.cors import RawHeaders

__all__ = ["CLIENT_GONE", "JSON", "Exchange", "error_response", "method_not_allowed", "not_found"]

CLIENT_GONE = 499  # as Nginx counts a client that closed the connection before its answer
JSON = (b"content-type", b"application/json")
_RETRY_AFTER_S = b"1"
_DROPPED = frozenset({b"server", b"x-bentoml-request-id"})
_OF_THE_ERROR = frozenset({b"allow", b"retry-after", b"www-authenticate"})
_ERROR, _FAULT = 400, 500
_MOST_FOREIGN = 4096  # bytes of a foreign error that are read for its message
_SHOWN_PATH = 100
_SHOWN_MESSAGE = 300


@dataclass(slots=True)
class Exchange:
    """One response. `common`: headers that every answer has."""

    scope: Scope
    transmit: Send
    identifier: str
    common: RawHeaders
    probe: bool  # a 503 of theirs is an answer, not an error
    status: int = 0
    context: Context | None = None  # of the layer that answered: its trace goes into the log
    error_code: str | None = None
    _foreign: bytearray | None = None
    _foreign_status: int = 0
    _foreign_headers: RawHeaders = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """ASGI send for BentoML's application: what it or another layer refuses gets our shape, and keeps its status.

        Errors of ours that come this way, through BentoML, keep what they say.
        """
        if message["type"] == "http.response.start":
            if message["status"] >= _ERROR and not self.probe:
                self._foreign = bytearray()
                self.context = copy_context()
                self._foreign_status = message["status"]
                self._foreign_headers = [pair for pair in message["headers"] if pair[0] in _OF_THE_ERROR]
                return
            self.status = message["status"]
            self.context = copy_context()
            kept = [pair for pair in message["headers"] if pair[0] not in _DROPPED]
            await self.transmit({**message, "headers": kept + self.common})
        elif self._foreign is None:
            await self.transmit(message)
        elif not self.status:
            self._foreign += message.get("body", b"")[: _MOST_FOREIGN - len(self._foreign)]
            if not message.get("more_body", False):
                await self.fail(_foreign(self._foreign_status, bytes(self._foreign), self.scope), self._foreign_headers)

    async def fail(self, error: PikkitError, more: RawHeaders | None = None) -> None:
        """Answer with an error, unless an answer is on its way already."""
        if self.status:
            return
        self.error_code = error.code
        body = to_json({"error": error.body(self.identifier)})
        headers = [JSON, (b"content-length", b"%d" % len(body)), *(more or [])]
        if error.status == Overloaded.status and not any(name == b"retry-after" for name, _ in headers):
            headers.append((b"retry-after", _RETRY_AFTER_S))
        await self._answer(error.status, headers, body)

    async def preflight(self, headers: RawHeaders) -> None:
        """Answer a CORS preflight."""
        await self._answer(204, headers, b"")

    async def _answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.status = status
        await self.transmit({"type": "http.response.start", "status": status, "headers": headers + self.common})
        await self.transmit({"type": "http.response.body", "body": b"" if self.scope["method"] == "HEAD" else body})


def not_found(scope: Scope) -> NotFound:
    """Nothing is served at this path."""
    return NotFound(f"nothing is served at {scope['path'][:_SHOWN_PATH]!r}: see /docs")


def method_not_allowed(scope: Scope) -> MethodNotAllowed:
    """The path is served, but not by this method."""
    method, path = scope["method"][:20], scope["path"][:_SHOWN_PATH]
    return MethodNotAllowed(f"{method} is not served at {path!r}: see /docs")


def error_response(error: PikkitError) -> Response:
    """An error of ours, for a layer that takes responses; the gateway gives it the request's id."""
    return Response(to_json({"error": error.body()}), error.status, media_type="application/json")


def _foreign(status: int, body: bytes, scope: Scope) -> PikkitError:
    """Our error for one that BentoML, Starlette or a middleware of the user answered. Faults tell no detail."""
    data = _decoded(body)
    if isinstance(data, dict) and isinstance(data.get("error"), dict) and isinstance(data["error"].get("code"), str):
        return _ours(status, data["error"])
    if status == NotFound.status:
        return not_found(scope)
    if status == MethodNotAllowed.status:
        return method_not_allowed(scope)
    return _fault(status) if status >= _FAULT else _refusal(status, _message(data))


def _fault(status: int) -> PikkitError:
    if status == Overloaded.status:
        return Overloaded("the service is busy: try again after Retry-After")
    if status == TimedOut.status:
        return TimedOut("no answer in time: try again")
    return InternalError("the service failed on this request; the log has the cause")


def _ours(status: int, said: Mapping[str, Any]) -> PikkitError:
    field = said.get("field")
    kind = ServiceError if said.get("retryable") is True else RequestError
    error = kind(str(said.get("message", "")), field=field if isinstance(field, str) else None)
    return _with(error, status, said["code"])


def _refusal(status: int, message: str) -> PikkitError:
    """A client's error of any status."""
    if status == Unauthorized.status:
        return Unauthorized(message)
    if status == Forbidden.status:
        return Forbidden(message)
    try:
        code = HTTPStatus(status).name.lower()
    except ValueError:
        code = RequestError.code
    busy = status == HTTPStatus.TOO_MANY_REQUESTS
    return _with(ServiceError(message) if busy else RequestError(message), status, code)


def _with(error: PikkitError, status: int, code: str) -> PikkitError:
    error.status, error.code = status, code  # type: ignore[misc] # of this one; its class has one for all
    return error


def _decoded(body: bytes) -> Any:
    text = body.decode("utf-8", "replace").strip()
    try:
        return json.loads(text)
    except ValueError:
        return text


def _message(data: Any) -> str:
    """What a foreign error says: its `detail`, `error` or `message`, else its text."""
    while isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, dict):
        data = next((data[name] for name in ("detail", "error", "message") if isinstance(data.get(name), str)), None)
    said = data if isinstance(data, str) and data.isprintable() and not data.startswith("<") else None
    return (said or "the request was refused before it was graded")[:_SHOWN_MESSAGE]

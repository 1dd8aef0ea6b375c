"""A connection that does not wait for headers forever, takes a bounded amount of them, and refuses in our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pikkit.errors import HeadersTooLarge, InvalidRequest, PikkitError, TooSlow

__all__ = ["Connection"]

HEADER_DEADLINE_S = 10.0
MAX_HEADERS = 32 * 1024  # of the request line and the fields together


class Connection(HttpToolsProtocol):
    """uvicorn's own, which has no bounds."""

    _reading = True  # headers, or waiting for the first
    _size = 0  # of the headers that have come so far
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for headers from now on."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADER_DEADLINE_S, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Parse; where headers are still incomplete after it, their time and size are bounded."""
        self._size += len(data)
        super().data_received(data)
        if not self._reading:
            self._size = 0
        elif self._size > MAX_HEADERS:
            self._refuse(_too_large())
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADER_DEADLINE_S, self._too_slow)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are complete."""
        self._stop_waiting()
        fields = sum(len(name) + len(value) for name, value in self.headers) if self._size > MAX_HEADERS else 0
        if fields + len(self.url) > MAX_HEADERS:
            self._reading = True  # its body is of no interest
            self._refuse(_too_large())
            return
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        self._refuse(InvalidRequest(f"{msg} Send HTTP/1.1."))

    def _stop_waiting(self) -> None:
        self._reading = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._refuse(TooSlow(f"the headers were not complete within {HEADER_DEADLINE_S:g} s: send them faster"))

    def _refuse(self, error: PikkitError) -> None:
        cycle: Any = self.cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete:  # the answer to an earlier request is on its way
            self.transport.abort()
            return
        body = to_json({"error": error.body()})
        head = (
            f"HTTP/1.1 {error.status} {error.code}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"the headers are over {MAX_HEADERS} bytes: send fewer")

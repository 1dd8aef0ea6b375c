"""HTTP with a deadline for the whole exchange, and a bound on its answer: a peer that drips or floods is given up."""

from __future__ import annotations

import asyncio

import httpx

__all__ = ["DeadlineTransport", "client"]

TIMEOUT_S = 10.0
_LONGEST_ANSWER = 2**20
_OF_THE_PACKED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class DeadlineTransport(httpx.BaseTransport):
    """Sends a request and reads its whole answer within so many seconds. For one thread, without a loop of its own."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = TIMEOUT_S if seconds is None else seconds
        self._runner = asyncio.Runner()
        self._inner = httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ReadTimeout once the time is over, httpx.ConnectTimeout if there is no connection by then."""
        connected = False

        async def watched(event: str, _info: object) -> None:
            nonlocal connected
            connected = connected or event.startswith("http11.")

        request.extensions = {**request.extensions, "trace": watched}
        try:
            return self._runner.run(asyncio.wait_for(self._exchange(request), self._seconds))
        except TimeoutError:
            kind = httpx.ReadTimeout if connected else httpx.ConnectTimeout
            raise kind(f"not done within {self._seconds:g} s", request=request) from None

    def close(self) -> None:
        """Close connections."""
        self._runner.run(self._inner.aclose())
        self._runner.close()

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        answer.request = request
        content = bytearray()
        try:
            async for chunk in answer.aiter_bytes():  # unpacked: a small answer may pack a large one
                content += chunk
                if len(content) > _LONGEST_ANSWER:
                    raise httpx.RemoteProtocolError("the answer does not end", request=request)
        finally:
            await answer.aclose()
        headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_THE_PACKED]
        return httpx.Response(
            answer.status_code,
            headers=headers,
            stream=httpx.ByteStream(bytes(content)),
            extensions={name: value for name, value in answer.extensions.items() if name != "network_stream"},
        )


def client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client for receivers: total deadlines, no redirects, no proxies."""
    return httpx.Client(transport=transport or DeadlineTransport(), timeout=None)  # noqa: S113 - the transport's

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from pikkit.web.connection import MAX_HEADERS, Connection
from tests.support.waiting import PATIENCE_S

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n"


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=Connection, lifespan="off", log_config=None))
    task = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def said(port: int, *pieces: bytes, pause: float = 0.02) -> bytes:
    """What the server answers to these pieces until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(pause)
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except (TimeoutError, ConnectionResetError):
        return b"open"
    finally:
        writer.close()


def run(scenario: Callable[[int], Awaitable[list[bytes]]]) -> list[bytes]:
    async def main() -> list[bytes]:
        async with serving() as port:
            return await scenario(port)

    return asyncio.run(main())


def error_of(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    return str(json.loads(body)["error"]["code"])


def test_headers_that_do_not_come_in_time_are_refused_and_others_are_served_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pikkit.web.connection.HEADER_DEADLINE_S", 0.3)

    async def scenario(port: int) -> list[bytes]:
        slow = [(b"",), (b"G",), (GET,), (GET, b"a: b\r\n", b"c: d\r\n"), (GET + b"\r\n" + GET,)]
        waiting = [asyncio.ensure_future(said(port, *pieces)) for pieces in slow]
        good = await said(port, GET + b"connection: close\r\n\r\n")
        return [good, *await asyncio.gather(*waiting)]

    good, *refused, second = run(scenario)
    assert good.endswith(b"ok")
    assert [error_of(answer, 408) for answer in refused] == ["request_timeout"] * 4
    assert second.startswith(b"HTTP/1.1 200")
    assert b"408" in second


def test_a_connection_that_waits_between_two_requests_is_not_closed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pikkit.web.connection.HEADER_DEADLINE_S", 0.1)

    async def scenario(port: int) -> list[bytes]:
        return [await said(port, GET + b"\r\n", GET + b"connection: close\r\n\r\n", pause=0.3)]

    assert run(scenario)[0].count(b"200 OK") == 2


@pytest.mark.parametrize("sent", ["at once", "in pieces", "unfinished", "as a path"])
def test_too_many_headers_are_refused(sent: str) -> None:
    field = b"x-%d: " + b"y" * 1000 + b"\r\n"
    many = b"".join(field % number for number in range(MAX_HEADERS // 1000 + 1))

    async def scenario(port: int) -> list[bytes]:
        pieces = {
            "at once": [GET + many + b"\r\n"],
            "in pieces": [GET, many[:20_000], many[20_000:], b"\r\n"],
            "unfinished": [GET + many],
            "as a path": [b"GET /" + b"a" * MAX_HEADERS + b" HTTP/1.1\r\n\r\n"],
        }[sent]
        return [await said(port, *pieces)]

    assert error_of(run(scenario)[0], 431) == "headers_too_large"


def test_a_large_body_in_one_piece_with_its_headers_is_served() -> None:
    async def scenario(port: int) -> list[bytes]:
        body = b"x" * 2 * MAX_HEADERS
        head = b"POST /x HTTP/1.1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        return [await said(port, head + body)]

    assert run(scenario)[0].endswith(b"ok")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00 hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET http:// \r\n\r\n"]
)
def test_what_is_no_http_is_refused_in_the_one_shape(sent: bytes) -> None:
    async def scenario(port: int) -> list[bytes]:
        return [await said(port, sent)]

    assert error_of(run(scenario)[0], 400) == "invalid_request"

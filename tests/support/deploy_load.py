"""Keep-alive clients that never retry: what a browser does with a POST. Every failure is counted and named."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from tests.support.waiting import PATIENCE_S

_IDS = 16  # clients whose requests a connection carries, in turn: a share of the clients is one of the requests, too
_BET = b'{"sport":"Basketball","league":"NBA","market":"Moneyline","institution_name":"FanDuel","odds":-110}'
_QUERY = "sport=Basketball&league=NBA&market=Moneyline&institution_name=FanDuel&odds=-110"


@dataclass
class Tally:
    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def _request(kind: str, client: str, key: str) -> bytes:
    bets = b'{"bets":[' + b",".join([_BET] * 5) + b"]}"
    path, method, body = {
        "post": ("/api/v1/predict?dry_run=true", "POST", _BET),
        "get": (f"/api/v1/predict?{_QUERY}", "GET", b""),
        "batch": ("/api/v1/batch-predict?dry_run=true", "POST", bets),
    }[kind]
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Client-ID: client-{client}\r\n"
    if key:
        head += f"X-API-Key: {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    served = ""
    at = lower.find(b"x-served-by: ")
    if at >= 0:
        served = lower[at + 13 : lower.index(b"\r", at)].decode()
    at = lower.find(b"content-length: ")
    if at >= 0:
        await reader.readexactly(int(lower[at + 16 : lower.index(b"\r", at)]))
    elif b"transfer-encoding: chunked" in lower:
        while size := int((await reader.readline()).strip(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status, served, b"connection: close" in lower


async def _client(
    address: tuple[str, int], kind: str, requests: Iterator[bytes], tally: Tally, stop: asyncio.Event, pause: float
) -> None:
    writer: asyncio.StreamWriter | None = None
    while not stop.is_set():
        tally.requests += 1
        began = time.perf_counter()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(*address)
            writer.write(next(requests))
            status, served, closes = await asyncio.wait_for(_answer(reader), PATIENCE_S)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            tally.failures[type(error).__name__] += 1
            if writer:
                writer.close()
            writer = None
            continue
        tally.seconds.append(time.perf_counter() - began)
        tally.served[served] += 1
        if status != 200:
            tally.failures[f"{kind} {status}"] += 1
        if closes:
            writer.close()
            writer = None
        if pause:
            await asyncio.sleep(pause)
    if writer:
        writer.close()


async def load(
    port: int,
    tally: Tally,
    stop: asyncio.Event,
    *,
    kinds: Sequence[str] = ("post",),
    clients: int = 64,
    pause: float = 0,
    host: str = "127.0.0.1",
    key: str = "",
) -> None:
    """Until `stop` is set; `pause` seconds between a client's requests leave connections idle."""
    dealt = [kinds[n % len(kinds)] for n in range(clients)]
    sent = [(kind, cycle([_request(kind, f"{n}-{i}", key) for i in range(_IDS)])) for n, kind in enumerate(dealt)]
    await asyncio.gather(*(_client((host, port), kind, requests, tally, stop, pause) for kind, requests in sent))


@contextmanager
def traffic(
    port: int,
    *,
    clients: int = 12,
    pause: float = 0.5,
    kinds: Sequence[str] = ("post", "get", "batch"),
    host: str = "127.0.0.1",
    key: str = "",
) -> Iterator[Tally]:
    """Clients in a thread of their own while the block runs.

    By default some twenty requests a second, by a dozen connections that a switch must not cut: what is deployed
    meanwhile needs the processor too.
    """
    tally = Tally()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    work = load(port, tally, stop, clients=clients, pause=pause, kinds=kinds, host=host, key=key)
    thread = threading.Thread(target=lambda: loop.run_until_complete(work))
    thread.start()
    try:
        yield tally
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()

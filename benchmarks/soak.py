"""`python -m benchmarks.soak [REQUESTS]`: does anything grow? 200,000 mixed requests over every route, one worker.

GET, POST, legacy, errors, batches, explanations, probes and pages in turn, on connections that stay open and some that
do not. Exits with 1 where, after the first tenth, the worker's memory grew by more than 5 MiB, or its open files or
the slot's files of metrics by any. At the end 1,000 requests whose headers never end, and what they cost beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load.mix import BET, get, one
from pikkit.web.routes import BATCH, PREDICT, ROUTES
from tests.support.server import Server

REQUESTS = 200_000
CLIENTS = 8
HALF_SENT = 1000
GROWTH_MIB = 5
_SPORTS = ("Basketball", "Ice Hockey", "Tennis", "never seen")
_MARKETS = ("Moneyline", "Spread", "Total Points", "neither this")


def _requests() -> list[bytes]:
    """One turn: what is asked most often is there most often. Answers to HEAD have no body and are left out."""
    bets = [
        {**BET, "sport": sport, "market": market, "odds": odds}
        for sport in _SPORTS
        for market in _MARKETS
        for odds in (-250, -110, 145, 900)
    ]
    market = {**bets[0], "market_prices": [-110, -110], "event": "A @ B", "selection": "A"}
    query = "sport=Tennis&league=ATP&market=Moneyline&institution_name=Kiosk&odds=130"
    turn = [one(PREDICT, bet) for bet in bets]
    turn += [one(PREDICT, {**bet, "odds": 0}) for bet in bets[:8]]  # refused
    turn += [one(PREDICT, market), one(f"{PREDICT}?explain=true", market), one(PREDICT, b"{"), one(PREDICT, [])]
    turn += [get(f"{PREDICT}?{query}"), get(f"/ml-predict?{query}"), get(f"/ml-predict?{query}&odds=x")] * 4
    turn += [one(BATCH, {"bets": [*bets[:50], {}]}), one("/batch-predict", {"bets": bets[:20]})]
    turn += [one(f"{BATCH}?explain=true", {"bets": [market] * 10}), one("/api/v1/reload-models", {})]
    turn += [get(route.path) for route in ROUTES if route.method == "GET" and "static_content" not in route.path]
    return [*turn, get("/nowhere"), get(f"{PREDICT}%0a"), get("/live?" + "x" * 4000)]


@dataclass(frozen=True)
class State:
    """What the slot holds: the worker's memory in MiB, the open files of all its processes, files in its run folder."""

    memory: float
    files: int
    metrics: int

    @classmethod
    def of(cls, server: Server, run: Path) -> State:
        """As it is once the connections of the last load are closed."""
        time.sleep(0.5)
        family = psutil.Process(server.pid).children(recursive=True)
        memory = server.worker().memory_info().rss / 2**20
        return cls(memory, sum(p.num_fds() for p in family), sum(path.is_file() for path in run.rglob("*")))


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read one answer; returns its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif b"content-length: " in head:
        await reader.readexactly(int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]))
    return int(head.split(b" ", 2)[1])


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _client(port: int, requests: Sequence[bytes], count: int, seen: Counter[int]) -> None:
    sent = 0
    while sent < count:
        async with _connection(port) as (reader, writer):
            for _ in range(min(len(requests), count - sent)):
                writer.write(requests[sent % len(requests)])
                seen[await _answer(reader)] += 1
                sent += 1


async def _load(port: int, requests: Sequence[bytes], count: int) -> Counter[int]:
    seen: Counter[int] = Counter()
    shifted = [[*requests[7 * n :], *requests[: 7 * n]] for n in range(CLIENTS)]  # not all the same at once
    await asyncio.gather(*(_client(port, turn, count // CLIENTS, seen) for turn in shifted))
    return seen


async def _beside_half_sent(server: Server, run: Path) -> tuple[State, float]:
    """The state while 1,000 connections wait with half a header, and the seconds that 1,000 predictions take then."""
    async with AsyncExitStack() as stack:
        for _ in range(HALF_SENT):
            _, writer = await stack.enter_async_context(_connection(server.port))
            writer.write(b"POST /api/v1/predict HTTP/1.1\r\nhost")
            await writer.drain()
        begin = time.perf_counter()
        await _load(server.port, [one(PREDICT, BET)], 1000)
        seconds = time.perf_counter() - begin
        return State.of(server, run), seconds


def main() -> None:
    """Load, print, and exit with 1 where something grew."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("requests", type=int, nargs="?", default=REQUESTS, help="how many; default: %(default)s")
    count: int = asked.parse_args().requests
    requests = _requests()
    with tempfile.TemporaryDirectory() as name, Server(Path(name), API_RATE_LIMIT=0) as server:
        run = Path(name) / "data/run"
        states, seen = [State.of(server, run)], Counter[int]()
        print("after requests | memory MiB | open files | files of metrics\n---|---|---|---", flush=True)
        for n in range(11):
            if n:
                seen += asyncio.run(_load(server.port, requests, count // 10))
                states.append(State.of(server, run))
            state = states[-1]
            print(f"{n * count // 10:,} | {state.memory:.1f} | {state.files} | {state.metrics}", flush=True)
        begin = time.perf_counter()
        asyncio.run(_load(server.port, [one(PREDICT, BET)], 1000))
        alone = time.perf_counter() - begin
        half, beside = asyncio.run(_beside_half_sent(server, run))
    print("statuses:", dict(sorted(seen.items())))
    print(f"{HALF_SENT:,} half-sent headers: {half.memory - states[-1].memory:+.1f} MiB, 1,000 predictions take "
          f"{beside / alone:.2f} times as long")  # fmt: skip
    first, last = states[1], states[-1]
    grew = last.memory - first.memory > GROWTH_MIB or last.files > first.files or last.metrics > first.metrics
    sys.exit(grew)


if __name__ == "__main__":
    main()

"""Two ways to load a server: closed, by wrk, where each client waits for its answer; and open, at a rate of its own.

A closed loop finds the highest rate, but when the server stalls its clients stop asking, and the stall is counted once
(coordinated omission). The open loop sends when a request is due, whatever has been answered; the time of a request
counts from when it was due, also where no connection was free.
"""

from __future__ import annotations

import gc
import json
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.load.mix import MARK
from pikkit.bets.numbers import Bools, Floats

__all__ = ["Load", "Opened", "arrivals", "open_loop", "wrk"]


_CONNECTIONS = 64
_GIVE_UP_S = 10.0  # after the last request was due
_LOOK_S = 0.02
_AWAY_S = 0.015  # of such a time: more than the hypervisor's usual crumbs
_SCRIPT = """
local requests, at = { %(requests)s }, 0
local run = %(base)d
request = function()
  at = at %% #requests + 1
  %(number)s
  return requests[at]
end
done = function(summary, latency)
  io.write(string.format("RATE %%f\\n", summary.requests / (summary.duration / 1e6)))
  for _, p in pairs({50, 95, 99}) do io.write(string.format("P%%d %%f\\n", p, latency:percentile(p) / 1000)) end
  local e = summary.errors
  io.write(string.format("FAILED %%d\\n", e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_NUMBER = (
    f'local sent = string.gsub(requests[at], "{MARK}", function() run = run + 1; '
    f'return string.format("%0{len(MARK)}d", run) end); if true then return sent end'
)


@dataclass(frozen=True)
class Load:
    """What a closed loop saw: requests per second, milliseconds at 50, 95 and 99 percent, failed requests."""

    rate: float
    p50: float
    p95: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Opened:
    """What an open loop saw: milliseconds of each request in the order in which they were due (NaN: not a 200).

    `away`: from when to when (seconds since the loop's beginning) the hypervisor ran something else on this machine's
    cores, as the system counts it ("steal").
    """

    latencies: Floats
    seconds: float  # from the first due request to the last answer
    away: Sequence[tuple[float, float]] = field(default_factory=list)

    def held_up(self, due: Floats) -> Bools:
        """Which of the requests, due at these times, waited while the machine was away, or for what had piled up."""
        answered = due + np.nan_to_num(self.latencies) / 1000
        found: Bools = np.zeros(len(due), dtype=np.bool_)
        for begin, end in self.away:
            found |= (due < end + (end - begin)) & (answered > begin)
        return found

    def ms(self, percent: float) -> float:
        """The latency that so many percent of the answered requests stayed within."""
        return float(np.nanpercentile(self.latencies, percent))

    @property
    def failed(self) -> int:
        """Requests that were refused, or not answered."""
        return int(np.isnan(self.latencies).sum())


def wrk(url: str, requests: Sequence[bytes], clients: int, seconds: int) -> Load:
    """Load a server with these requests in turn; a mark in them is replaced by numbers never used before."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    marked = MARK.encode() in requests[0]
    script = _SCRIPT % {
        "requests": ",\n".join(json.dumps(request.decode()) for request in requests),
        "base": time.monotonic_ns() // 1_000_000 % 10**8 * 9,
        "number": _NUMBER if marked else "",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [program, "-t1", f"-c{clients}", f"-d{seconds}", "-s", file.name, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seen = {name: float(value) for name, value in re.findall(r"^(RATE|P\d+|FAILED) ([\d.]+)$", text, re.MULTILINE)}
    return Load(seen["RATE"], seen["P50"], seen["P95"], seen["P99"], int(seen["FAILED"]))


def arrivals(rate: float, count: int, *, poisson: bool, seed: int = 1) -> Floats:
    """When each request is due, in seconds: evenly, as wrk2 sends them, or by chance, as independent users come."""
    if not poisson:
        return np.arange(count) / rate
    gaps: Floats = np.random.default_rng(seed).exponential(1 / rate, count)
    return np.cumsum(gaps)


def open_loop(url: str, requests: Iterator[bytes], due: Floats, *, connections: int = _CONNECTIONS) -> Opened:
    """Send a request whenever one is due. The loop never sleeps: it needs a core of its own."""
    address = urlsplit(url)
    client = _Client((address.hostname or "", address.port or 80), connections)
    gc.collect()
    gc.disable()
    try:
        return client.run(requests, due)
    finally:
        gc.enable()
        client.close()


def _stolen() -> float:
    """Seconds that the hypervisor did not run this machine's cores though they had work, all together."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


class _Client:
    """Connections that stay open; a request waits its turn where all are busy."""

    def __init__(self, address: tuple[str, int], connections: int) -> None:
        sockets = [socket.create_connection(address) for _ in range(connections)]
        for one in sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets = {one.fileno(): one for one in sockets}
        self._free = deque(self._sockets)  # in turn: a server closes one that never asks
        self._asked: dict[int, int] = {}  # by connection, the number of the request
        self._answers = dict.fromkeys(self._sockets, b"")
        self._epoll = select.epoll()
        for number in self._sockets:
            self._epoll.register(number, select.EPOLLIN)

    def run(self, requests: Iterator[bytes], due: Floats) -> Opened:
        """Until all are answered, or long overdue."""
        times, waiting = due.tolist(), deque[int]()
        latencies = np.full(len(times), np.nan)
        sent, clock, begin = 0, time.perf_counter, time.perf_counter() + 0.01
        away: list[tuple[float, float]] = []
        looked, stolen = 0.0, _stolen()
        while (sent < len(times) or self._asked or waiting) and clock() - begin < times[-1] + _GIVE_UP_S:
            now = clock() - begin
            if now - looked > _LOOK_S:
                before, stolen = stolen, _stolen()
                if stolen - before > _AWAY_S:  # it is counted once the machine is back
                    away.append((looked - (stolen - before), now))
                looked = now
            while sent < len(times) and times[sent] <= now:
                waiting.append(sent)
                sent += 1
            while waiting and self._free:
                connection = self._free.popleft()
                self._asked[connection] = waiting.popleft()
                self._sockets[connection].sendall(next(requests))
            for connection, _ in self._epoll.poll(0):
                status = self._read(connection)
                if status:
                    number = self._asked.pop(connection)
                    if status == 200:
                        latencies[number] = 1000 * (clock() - begin - times[number])
                    self._free.append(connection)
        return Opened(latencies, clock() - begin, away)

    def _read(self, connection: int) -> int:
        """The status, once the answer is whole."""
        part = self._sockets[connection].recv(1 << 20)
        if not part:
            raise ConnectionError("the server closed a connection")
        answer = self._answers[connection] + part
        head, found, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE) if found else None
        if length is None or len(body) < int(length[1]):
            self._answers[connection] = answer
            return 0
        self._answers[connection] = b""
        return int(head[9:12])

    def close(self) -> None:
        """Close all connections."""
        self._epoll.close()
        for one in self._sockets.values():
            one.close()

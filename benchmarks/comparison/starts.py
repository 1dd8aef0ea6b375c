"""How soon a service is there: seconds until it is ready, and its first answers against its hundredth."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load.mix import bets, one
from tests.support.server import Server

__all__ = ["Starts", "starts"]

_HUNDREDTH = slice(80, 120)


@dataclass
class Starts:
    """What each start took.

    Seconds until ready; for plain and explained predictions the first one's milliseconds, and those of the hundredth,
    which is the median of its neighbourhood.
    """

    ready_s: list[float] = field(default_factory=list)
    first_ms: dict[str, list[float]] = field(default_factory=dict)
    hundredth_ms: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, what: str) -> float:
        """How many times as long the first one took: the median of the starts."""
        pairs = zip(self.first_ms[what], self.hundredth_ms[what], strict=True)
        return statistics.median(first / later for first, later in pairs)


def starts(folder: Path, times: int) -> Starts:
    """Start a service so often."""
    found = Starts()
    for _ in range(times):
        with Server(folder, ACCESS_LOG=0) as server:
            found.ready_s.append(server.ready_after)
            for what, path in (("predict", "/api/v1/predict"), ("explain", "/api/v1/predict?explain=true")):
                taken = _milliseconds(server.port, [one(path, bet) for bet in bets("field")[: _HUNDREDTH.stop]])
                found.first_ms.setdefault(what, []).append(taken[0])
                found.hundredth_ms.setdefault(what, []).append(statistics.median(taken[_HUNDREDTH]))
    return found


def _milliseconds(port: int, requests: Sequence[bytes]) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/ready")
    connection.getresponse().read()
    taken = []
    for request in requests:
        begin = time.perf_counter()
        connection.send(request)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        answer.read()
        taken.append(1000 * (time.perf_counter() - begin))
        assert answer.status == 200
    connection.close()
    return taken

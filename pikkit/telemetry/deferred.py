"""Counts of an event loop's requests, kept in plain numbers for an instant and then written to the metrics together.

The Prometheus client's multiprocess mode takes a lock, asks for the process id and packs two numbers into a mapped
file for each of the eleven counts of a prediction: 20 us. Here a count is a dictionary entry; it reaches the file
within `PAUSE_S`, or before the worker's own scrape. A worker that is killed takes that much of its counts along.

In other threads, and before `defer`, everything is written at once.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter as Tallied
from collections.abc import Iterable, Sequence
from threading import get_ident

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["PAUSE_S", "Tally", "observe_all"]

PAUSE_S = 0.02


class Tally:
    """Counters, histograms and gauges of one worker on their way to the metrics."""

    def __init__(self) -> None:
        self._counts: dict[Counter, float] = {}
        self._observed: dict[Histogram, list[float]] = {}
        self._levels: dict[Gauge, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._due = False

    def defer(self) -> None:
        """Hold back what the running event loop counts from now on."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()

    def count(self, counter: Counter, amount: float = 1) -> None:
        """Add to a counter."""
        if self._later():
            self._counts[counter] = self._counts.get(counter, 0) + amount
        else:
            counter.inc(amount)

    def observe(self, histogram: Histogram, values: Sequence[float]) -> None:
        """Add observations to a histogram."""
        if self._later():
            self._observed.setdefault(histogram, []).extend(values)
        else:
            observe_all(histogram, values)

    def set(self, gauge: Gauge, value: float) -> None:
        """Set a gauge."""
        if self._later():
            self._levels[gauge] = value
        else:
            gauge.set(value)

    def flush(self) -> None:
        """Write what is held back; call it in the event loop's thread."""
        self._due = False
        counts, self._counts = self._counts, {}
        observed, self._observed = self._observed, {}
        levels, self._levels = self._levels, {}
        for counter, amount in counts.items():
            counter.inc(amount)
        for histogram, values in observed.items():
            observe_all(histogram, values)
        for gauge, value in levels.items():
            gauge.set(value)

    def _later(self) -> bool:
        """Whether to hold back; if so, a flush is due."""
        if self._loop is None or get_ident() != self._thread:
            return False
        if not self._due:
            self._due = True
            self._loop.call_later(PAUSE_S, self.flush)
        return True


def observe_all(histogram: Histogram, values: Iterable[float]) -> None:
    """Observe many values with one write per bucket; the client's own way writes twice for each value."""
    values = list(values)
    bounds = histogram._upper_bounds  # noqa: SLF001 - there is no public way to add more than one
    for bucket, amount in Tallied(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[bucket].inc(amount)  # noqa: SLF001
    histogram._sum.inc(sum(values))  # noqa: SLF001

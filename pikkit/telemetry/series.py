"""The series that one worker counts, in memory, and how those of several workers become one.

The Prometheus client's multiprocess mode counts into mapped files: a write into one on a full disk ends the process
(SIGBUS), each dead worker leaves three files for good, and one that is damaged fails every scrape. Here a count is
an addition in memory; `dump` gives all of them as bytes, `Merged` adds up what several workers dumped.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from math import inf
from threading import Lock
from typing import Generic, Literal, NamedTuple, TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

__all__ = ["Counter", "Dump", "Gauge", "Histogram", "Labelled", "Merged", "Series"]

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class _Family:
    """`buckets`: upper bounds of a histogram, without the infinite one."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Numbers in one series: of a histogram one a bucket, then the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


class Dump(NamedTuple):
    """All series at one moment: what they are called (JSON), and their numbers (doubles, in that order)."""

    names: bytes
    values: bytes


class Series:
    """Every series of one worker. Its methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values = array("d")
        self._families: list[_Family] = []
        self._made: list[tuple[int, tuple[str, ...]]] = []
        self._names: bytes | None = None

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Labelled[Counter]:
        """A new counter; `name` ends with `_total`."""
        return Labelled(self, self._add(_Family(name, "counter", text, tuple(labels))), Counter)

    def gauge(self, name: str, text: str) -> Gauge:
        """A new gauge that is added up over the living workers."""
        return Labelled(self, self._add(_Family(name, "gauge", text)), Gauge).of()

    def histogram(
        self, name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Labelled[Histogram]:
        """A new histogram with these upper bounds, ascending; the infinite one is added."""
        family = _Family(name, "histogram", text, tuple(labels), tuple(map(float, buckets)))
        return Labelled(self, self._add(family), Histogram)

    def dump(self) -> Dump:
        """All series as they are now."""
        with self._lock:
            if self._names is None:
                self._names = _names(self._families, self._made)
            return Dump(self._names, self._values.tobytes())

    def _add(self, family: _Family) -> int:
        with self._lock:
            self._families.append(family)
            return len(self._families) - 1

    def _make(self, number: int, labels: tuple[str, ...]) -> tuple[Lock, array[float], int, tuple[float, ...]]:
        family = self._families[number]
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name} has the labels {family.labels}, not {len(labels)} of them")
        with self._lock:
            at = len(self._values)
            self._values.extend([0.0] * family.width)
            self._made.append((number, labels))
            self._names = None
        return self._lock, self._values, at, family.buckets


class _One:
    """One series: where its numbers lie."""

    __slots__ = ("_at", "_buckets", "_lock", "_values")

    def __init__(self, lock: Lock, values: array[float], at: int, buckets: tuple[float, ...]) -> None:
        self._lock = lock
        self._values = values
        self._at = at
        self._buckets = buckets


class Counter(_One):
    """A number that only grows."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Add."""
        with self._lock:
            self._values[self._at] += amount


class Gauge(_One):
    """A number that is what it was set to last."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Replace it."""
        self._values[self._at] = value


class Histogram(_One):
    """Observations, counted by bucket."""

    __slots__ = ()

    def observe(self, value: float) -> None:
        """Count one."""
        with self._lock:
            self._values[self._at + bisect_left(self._buckets, value)] += 1
            self._values[self._at + len(self._buckets) + 1] += value

    def observe_all(self, observed: Sequence[float]) -> None:
        """Count many."""
        values, at = self._values, self._at
        with self._lock:
            for bucket, count in Tally(map(bisect_left, repeat(self._buckets), observed)).items():
                values[at + bucket] += count
            values[at + len(self._buckets) + 1] += sum(observed)


_Made = TypeVar("_Made", bound=_One)


class Labelled(Generic[_Made]):
    """The series of one name, by their label values."""

    def __init__(self, series: Series, number: int, kind: type[_Made]) -> None:
        self._series = series
        self._number = number
        self._kind = kind
        self._made: dict[tuple[str, ...], _Made] = {}

    def of(self, *labels: str) -> _Made:
        """The series with these label values; the first call makes it, at 0. Keep what it returns where it counts."""
        one = self._made.get(labels)
        if one is None:
            one = self._made[labels] = self._kind(*self._series._make(self._number, labels))
        return one


class Merged:
    """The sum of several dumps: counters and histograms of all workers that ever were, gauges of the living."""

    def __init__(self) -> None:
        self._sums: dict[_Family, dict[tuple[str, ...], array[float]]] = {}

    def add(self, dump: Dump, *, alive: bool = True) -> None:
        """Add what one worker, or several merged ones, counted.

        Raises:
            ValueError: these are no series.
        """
        layout = _layout(dump.names)
        values = array("d", dump.values)
        if layout and layout[-1][2] + layout[-1][0].width != len(values):
            raise ValueError("there are not as many numbers as series")
        for family, labels, at in layout:
            if family.kind == "gauge" and not alive:
                continue
            sums = self._sums.get(family)
            if sums is None:
                sums = self._sums[family] = {}
            found = sums.get(labels)
            if found is None:
                sums[labels] = values[at : at + family.width]
            else:
                for i in range(family.width):
                    found[i] += values[at + i]

    def dump(self) -> Dump:
        """The sums, as a worker would have counted them."""
        families = list(self._sums)
        made = [(number, labels) for number, family in enumerate(families) for labels in self._sums[family]]
        values = array("d")
        for number, labels in made:
            values.extend(self._sums[families[number]][labels])
        return Dump(_names(families, made), values.tobytes())

    def metrics(self) -> Iterator[Metric]:
        """By name; where one name was defined differently by an earlier worker, the one that was added first."""
        seen: set[str] = set()
        for family, sums in self._sums.items():
            if family.name not in seen:
                seen.add(family.name)
                yield _metric(family, sums)


def _metric(family: _Family, sums: Mapping[tuple[str, ...], Sequence[float]]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        bounds = [*family.buckets, inf]
        for labels, values in sums.items():
            cumulative = 0.0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip(bounds, values, strict=False):
                cumulative += count
                buckets.append(("+Inf" if bound == inf else repr(bound), cumulative))
            histogram.add_metric(labels, buckets, values[-1])
        return histogram
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(family.name, family.text, labels=family.labels)
    for labels, values in sums.items():
        metric.add_metric(labels, values[0])
    return metric


def _names(families: Sequence[_Family], made: Sequence[tuple[int, tuple[str, ...]]]) -> bytes:
    return json.dumps(
        [
            [[family.name, family.kind, family.text, family.labels, family.buckets] for family in families],
            [[number, *labels] for number, labels in made],
        ],
        separators=(",", ":"),
    ).encode()


@lru_cache(maxsize=32)  # workers know the same series, most of the time
def _layout(names: bytes) -> tuple[tuple[_Family, tuple[str, ...], int], ...]:
    """Family, label values and place of the first number of each series."""
    families, made = json.loads(names)
    known = [_Family(name, kind, text, tuple(labels), tuple(buckets)) for name, kind, text, labels, buckets in families]
    layout = []
    at = 0
    for number, *labels in made:
        layout.append((known[number], tuple(labels), at))
        at += known[number].width
    return tuple(layout)

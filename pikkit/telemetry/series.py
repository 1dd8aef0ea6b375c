"""The series that one worker counts, in memory, and how those of several workers become one.

The Prometheus client's multiprocess mode counts into mapped files: a write into one on a full disk ends the process
(SIGBUS), each dead worker leaves three files for good, and one that is damaged fails every scrape. Here a count is
an addition in memory; `dump` gives all of them as bytes, `Merged` adds up what several workers dumped.
"""

from __future__ import annotations

import json
import time
from array import array
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, repeat
from threading import Lock
from typing import Generic, Literal, NamedTuple, TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Exemplar

__all__ = ["Counter", "Dump", "Gauge", "Histogram", "Labelled", "Merged", "Series"]

Kind = Literal["counter", "gauge", "histogram"]
_Made = TypeVar("_Made", bound="_One")
_Examples = dict[tuple[int, int], tuple[float, str, float]]
_EXAMPLES_EVERY_S = 1.0


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
    """All series at one moment.

    `names`: what they are called, JSON. `values`: their numbers, doubles in that order. `examples`: JSON list of
    series (its place), bucket (its place), value, request id, seconds since the epoch.
    """

    names: bytes
    values: bytes
    examples: bytes = b"[]"


class Series:
    """Every series of one worker. Its methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._before: list[Callable[[], None]] = []
        self._values = array("d")
        self._families: list[_Family] = []
        self._made: list[tuple[int, tuple[str, ...]]] = []
        self._names: bytes | None = None
        self._examples: _Examples = {}
        self._told_examples = (b"[]", 0.0)

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

    def before_dump(self, count: Callable[[], None]) -> None:
        """Ask `count` to add what it has not added yet, before all series are told."""
        self._before.append(count)

    def settle(self) -> None:
        """Add what has not been added yet."""
        for count in self._before:
            count()

    def dump(self) -> Dump:
        """All series as they are now."""
        self.settle()
        with self._lock:
            if self._names is None:
                self._names = _names(self._families, self._made)
            return Dump(self._names, self._values.tobytes(), self._examples_json())

    def _examples_json(self) -> bytes:
        """Made once a second at most: they are no counts."""
        now = time.monotonic()
        if self._examples and now - self._told_examples[1] >= _EXAMPLES_EVERY_S:
            told = [[*place, *example] for place, example in self._examples.items()]
            self._told_examples = (json.dumps(told, separators=(",", ":")).encode(), now)
        return self._told_examples[0]

    def _add(self, family: _Family) -> int:
        with self._lock:
            self._families.append(family)
            return len(self._families) - 1

    def _make(self, number: int, labels: tuple[str, ...], kind: type[_Made]) -> _Made:
        family = self._families[number]
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name} has the labels {family.labels}, not {len(labels)} of them")
        with self._lock:
            at = len(self._values)
            self._values.extend([0.0] * family.width)
            self._made.append((number, labels))
            self._names = None
            return kind(self._lock, self._values, at, family.buckets, (len(self._made) - 1, self._examples))


class _One:
    """One series: where its numbers lie."""

    __slots__ = ("_at", "_buckets", "_examples", "_lock", "_number", "_values")

    def __init__(
        self, lock: Lock, values: array[float], at: int, buckets: tuple[float, ...], examples: tuple[int, _Examples]
    ) -> None:
        self._lock = lock
        self._values = values
        self._at = at
        self._buckets = buckets
        self._number, self._examples = examples


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

    def observe_all(self, observed: Sequence[float], request_ids: Sequence[str] = ()) -> None:
        """Count each; with the ids of their requests, each is the example of its bucket until the next one."""
        values, at = self._values, self._at
        buckets = list(map(bisect_left, repeat(self._buckets), observed))
        with self._lock:
            for bucket, count in Tally(buckets).items():
                values[at + bucket] += count
            values[at + len(self._buckets) + 1] += sum(observed)
            for bucket, value, request_id in zip(buckets, observed, request_ids, strict=False):
                if request_id:
                    self._examples[self._number, bucket] = (value, request_id, time.time())


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
            one = self._made[labels] = self._series._make(self._number, labels, self._kind)
        return one


class Merged:
    """The sum of several dumps: counters and histograms of all workers that ever were, gauges of the living."""

    def __init__(self) -> None:
        self._sums: dict[_Family, dict[tuple[str, ...], array[float]]] = {}
        self._examples: dict[tuple[_Family, tuple[str, ...], int], Exemplar] = {}

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
        for number, bucket, value, request_id, at_s in json.loads(dump.examples):
            place = (*layout[number][:2], bucket)
            if place not in self._examples or self._examples[place].timestamp < at_s:
                self._examples[place] = Exemplar({"request_id": request_id}, value, at_s)

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
                yield self._metric(family, sums)

    def _metric(self, family: _Family, sums: Mapping[tuple[str, ...], Sequence[float]]) -> Metric:
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
            for labels, values in sums.items():
                histogram.add_metric(labels, list(self._buckets(family, labels, values)), values[-1])
            return histogram
        made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        metric = made(family.name, family.text, labels=family.labels)
        for labels, values in sums.items():
            metric.add_metric(labels, values[0])
        return metric

    def _buckets(
        self, family: _Family, labels: tuple[str, ...], values: Sequence[float]
    ) -> Iterator[tuple[str, float] | tuple[str, float, Exemplar]]:
        """Upper bound, cumulative count and, where there is one, an example of each bucket."""
        bounds = (*map(repr, family.buckets), "+Inf")
        for number, (bound, count) in enumerate(zip(bounds, accumulate(values[:-1]), strict=True)):
            example = self._examples.get((family, labels, number))
            yield (bound, count, example) if example else (bound, count)


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

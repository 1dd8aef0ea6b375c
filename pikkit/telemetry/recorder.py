"""What happens with graded bets after their answer: counted for drift, written to the prediction log.

A thread per worker, behind a bounded queue: a request only appends to it. When the thread can't keep up, bets are
left out and counted, never waited for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import Bet
from pikkit.bets.prediction import Prediction
from pikkit.errors import outlived
from pikkit.telemetry.logs import Repeated, get_logger

__all__ = ["Graded", "ModelSet", "Recorder", "Rows", "Sink"]

_PAUSE_S = 0.2
_LIMIT_BETS = 20_000
_TOGETHER_BETS = 32  # recorded in one go: a bet alone costs four times as much, and more would keep requests waiting
_BREATH_S = 0.001  # between two goes, for the requests

_log = get_logger("pikkit.recorder")


class _Spec(Protocol):
    @property
    def names(self) -> Sequence[str]:
        """The features, in the order of a row's columns."""
        ...


class ModelSet(Protocol):
    """The port to a model set: what is recorded of it."""

    @property
    def version(self) -> str:
        """Timestamp of the set."""
        ...

    @property
    def sha256(self) -> str:
        """Which files it was made of."""
        ...

    @property
    def spec(self) -> _Spec:
        """Which features it wants."""
        ...


class Rows(Protocol):
    """The port to feature rows."""

    @property
    def matrix(self) -> npt.NDArray[np.floating]:
        """A row a bet, shape (n, k)."""
        ...

    @property
    def unknown_columns(self) -> npt.NDArray[np.bool_]:
        """Which names the set does not know, shape (n, 5)."""
        ...


Models = TypeVar("Models", bound=ModelSet)


@dataclass(frozen=True, slots=True)
class Graded:
    """Bets, their predictions, feature rows and times (epoch seconds), by one model set."""

    models: ModelSet
    bets: Sequence[Bet]
    predictions: Sequence[Prediction]
    rows: Rows
    times: Sequence[float]


class Sink(Protocol):
    """Takes graded bets, in the recorder's thread."""

    def wants(self, bets: int, now: float) -> bool:
        """Whether to be given so many bets; asked in the event loop, so it must be quick."""
        ...

    def take(self, graded: Graded) -> None:
        """Take them."""
        ...

    def flush(self) -> None:
        """Called a few times a second."""
        ...

    def close(self) -> None:
        """Called once, at the end."""
        ...


class _Waiting(NamedTuple, Generic[Models]):
    """One call to be recorded."""

    models: Models
    bets: Sequence[Bet]
    predictions: Sequence[Prediction]
    at: float
    sinks: tuple[Sink, ...]


class Recorder(Generic[Models]):
    """Hands graded bets to sinks."""

    def __init__(
        self,
        rows: Callable[[Models, Sequence[Bet], Sequence[float]], Rows],
        sinks: Sequence[Sink],
        *,
        dropped: Callable[[int], None],
        limit: int = _LIMIT_BETS,
    ) -> None:
        """Make one; it does nothing before `start`.

        Args:
            rows: `Predictor.rows`: model set, bets and their times to feature rows.
            sinks: who takes the bets.
            dropped: told how many were left out.
            limit: bets that may wait.
        """
        self._rows = rows
        self._sinks = tuple(sinks)
        self._dropped = dropped
        self._failed = Repeated(_log, "recording failed")
        self._limit = limit
        self._queue: deque[_Waiting[Models]] = deque()
        self._put = self._taken = 0  # one writer each: no lock in the request
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin; in the worker process itself, as threads do not survive a fork."""
        self._thread.start()

    def stop(self, *, seconds: float = 5.0) -> None:
        """Finish what waits, for at most so long."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def graded(
        self,
        models: Models,
        bets: Sequence[Bet],
        predictions: Sequence[Prediction],
        at: float | None = None,
    ) -> None:
        """These bets got these predictions, at that time (epoch seconds); now without it."""
        now = time.time() if at is None else at
        sinks = tuple(sink for sink in self._sinks if sink.wants(len(bets), now))
        if not sinks:
            return
        if self._put - self._taken + len(bets) > self._limit:
            self._dropped(len(bets))
            return
        self._put += len(bets)
        self._queue.append(_Waiting(models, bets, predictions, now, sinks))

    def _run(self) -> None:
        while True:
            ending = self._ending.wait(_PAUSE_S)
            while self._queue:
                self._record(self._next())
                if self._put - self._taken < self._limit // 2:
                    self._ending.wait(_BREATH_S)
            for sink in self._sinks:
                with outlived(self._failed):
                    sink.close() if ending else sink.flush()
            if ending:
                return

    def _next(self) -> list[_Waiting[Models]]:
        """Calls that can be recorded together: of one model set, for the same sinks."""
        found = [self._queue.popleft()]
        bets = len(found[0].bets)
        while self._queue:
            one = self._queue[0]
            bets += len(one.bets)
            if bets > _TOGETHER_BETS or one.models is not found[0].models or one.sinks != found[0].sinks:
                break
            found.append(self._queue.popleft())
        return found

    def _record(self, calls: Sequence[_Waiting[Models]]) -> None:
        models = calls[0].models
        bets = [bet for call in calls for bet in call.bets]
        with outlived(partial(self._lost, len(bets))):
            predictions = [prediction for call in calls for prediction in call.predictions]
            times = [call.at for call in calls for _ in call.bets]
            graded = Graded(models, bets, predictions, self._rows(models, bets, times), times)
            for sink in calls[0].sinks:
                sink.take(graded)
        self._taken += len(bets)

    def _lost(self, bets: int, cause: Exception) -> None:
        self._dropped(bets)
        self._failed(cause)

"""What is done with graded bets an instant after their answers, many at a time: counted, then recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from pikkit.errors import InvalidBet
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.recorder import Recorder

__all__ = ["Afterwards"]


class Afterwards:
    """An observer of the grader."""

    def __init__(self, metrics: Metrics, recorder: Recorder[Any]) -> None:
        self._metrics = metrics
        self._recorder = recorder
        # Takes what the grader tells (`.models`, `.bets`, `.predictions`, `.options`, `.sizes`, `.at`).
        self.graded: Callable[[Any], None] = metrics.later(self._take).append

    def refused(self, error: InvalidBet) -> None:
        """One bet of a batch was refused."""
        self._metrics.error(error.code)

    def _take(self, graded: Sequence[Any]) -> None:
        self._metrics.merged([len(call.sizes) for call in graded])
        earnest = [call for call in graded if not call.options.dry_run]
        sent = [call for call in earnest if not call.options.chosen]
        for models, group in groupby(sent, key=attrgetter("models")):
            calls = list(group)
            bets = [bet for call in calls for bet in call.bets]
            predictions = [prediction for call in calls for prediction in call.predictions]
            self._metrics.predictions(bets, predictions, models, calls=[len(call.bets) for call in calls])
        for call in earnest:
            self._recorder.graded(call.models, call.bets, call.predictions, call.at)

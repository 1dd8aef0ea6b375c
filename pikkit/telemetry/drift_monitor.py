"""Live distribution of one service instance over the past day, kept by its workers together.

Each worker counts a sample of its bets by the hour and writes its counts into a file of its own a few times a
minute; whoever is asked adds the files up. A worker that starts goes on with the file of one that ended. Memory is
bounded by hours and bins, whatever the traffic.

A bet counts once an hour in each worker, however often it is asked about: a page that polls ten bets is not a
change of what people bet on.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pikkit.bets.bet import CATEGORICAL
from pikkit.errors import ModelError
from pikkit.files import replace_file
from pikkit.telemetry.drift import OUTPUTS, Baseline, Counts, drift_report
from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.recorder import Graded

__all__ = ["DriftMonitor"]

HOURS = 24
_HOUR_S = 3600
_BETS_PER_S = 200  # sampled beyond: features are computed a second time for this
_TOGETHER = 32  # then taken in a row: one by one among others, each would cost ten times as much
_WRITE_EVERY_S = 5.0

_IDENTITY = ("event", "selection", "line", "starts_at", "client_ref")  # beside what the features say of a bet
_REMEMBERED = 50_000

_log = get_logger("pikkit.drift")


class _Counting(NamedTuple):
    """What is counted at the moment; swapped as a whole with the model set."""

    sha256: str
    baseline: Baseline | None
    hours: dict[int, Counts]


class DriftMonitor(Collector):
    """A sink of the recorder and a collector of the metrics. Call `use` whenever a model set begins to serve."""

    def __init__(self, folder: Path) -> None:
        """`folder` is shared by the workers of the instance, and ends with it."""
        self._folder = folder
        self._file, self._claim = _claim(folder)
        self._seen: tuple[int, set[int]] = (0, set())
        self._now = _Counting("", None, {})
        self._budget = float(_BETS_PER_S)
        self._budget_at = 0.0
        self._is_saving = False
        self._written_at = 0.0
        self._changed = False

    def use(self, models: Any) -> None:
        """Count against the baseline of this model set (`.sha256`, `.baseline`) from now on."""
        baseline = None
        if models.baseline:
            try:
                baseline = Baseline.from_json(models.baseline)
            except ModelError as error:
                _log.warning("no drift report for this model set", reason=error.message)
        hours = {}
        if baseline is not None:
            for hour, counts in self._read(self._file, str(models.sha256)).items():
                hours[int(hour)] = Counts(baseline)
                hours[int(hour)].merge(counts)
        self._now = _Counting(str(models.sha256), baseline, hours)

    def wants(self, bets: int, now: float) -> bool:
        """Up to 200 bets a second, in the mean."""
        if self._now.baseline is None:
            return False
        self._budget = min(_BETS_PER_S, self._budget + (now - self._budget_at) * _BETS_PER_S)
        self._budget_at = now
        self._is_saving = self._budget <= (_TOGETHER if self._is_saving else 0)
        if self._is_saving:
            return False
        self._budget -= bets
        return True

    def take(self, graded: Graded) -> None:
        """Count bets, unless another model set graded them."""
        now = self._now
        if now.baseline is None or str(graded.models.sha256) != now.sha256:
            return
        hour = int(graded.times[0] // _HOUR_S)
        if hour not in now.hours:
            now.hours[hour] = Counts(now.baseline)
            for old in [known for known in now.hours if known <= hour - HOURS]:
                del now.hours[old]
        new = self._unseen(graded, hour)
        if not new:
            return
        predictions: list[Mapping[str, object]] = [graded.predictions[i] for i in new]
        columns = {name: graded.rows.matrix[new, i] for i, name in enumerate(graded.models.spec.names)}
        for name in OUTPUTS:
            columns[name] = np.array([prediction[name] for prediction in predictions])
        grades = [graded.predictions[i]["bet_grade"] for i in new]
        now.hours[hour].add(columns, grades, graded.rows.unknown_columns[new])
        self._changed = True

    def _unseen(self, graded: Graded, hour: int) -> list[int]:
        """Places of the bets that are new in this hour."""
        if self._seen[0] != hour or len(self._seen[1]) > _REMEMBERED:
            self._seen = (hour, set())
        seen = self._seen[1]
        new = []
        for i, bet in enumerate(graded.bets):
            key = hash((graded.rows.matrix[i].tobytes(), *(getattr(bet, name, None) for name in _IDENTITY)))
            if key not in seen:
                seen.add(key)
                new.append(i)
        return new

    def flush(self) -> None:
        """Write the file, if it is due."""
        if time.monotonic() - self._written_at >= _WRITE_EVERY_S:
            self.close()

    def close(self) -> None:
        """Write the file, if anything is new."""
        if not self._changed:
            return
        self._written_at = time.monotonic()
        state = {
            "sha256": self._now.sha256,
            "hours": {str(hour): counts.to_json() for hour, counts in self._now.hours.items()},
        }
        replace_file(self._file, json.dumps(state).encode())
        self._changed = False

    def live(self) -> Counts | None:
        """Counts of all workers over the past day; None without a baseline."""
        sha256, baseline, _ = self._now
        if baseline is None:
            return None
        total = Counts(baseline)
        newest = int(time.time() // _HOUR_S)
        for path in self._folder.glob("*.drift"):
            for hour, counts in self._read(path, sha256).items():
                if int(hour) > newest - HOURS:
                    total.merge(counts)
        return total

    def _read(self, path: Path, sha256: str) -> Mapping[str, Any]:
        """Counts by the hour of one worker under this model set; {} where there are none that can be read."""
        try:
            state: Mapping[str, Any] = json.loads(path.read_bytes())
            return dict(state["hours"]) if state["sha256"] == sha256 else {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError) as cause:  # damaged: written again within seconds
            _log.warning("counts of a worker left out of the drift figures", file=path.name, reason=repr(cause))
            return {}

    def report(self) -> dict[str, Any]:
        """Body of /api/v1/drift-report."""
        live = self.live()
        baseline = self._now.baseline
        if baseline is None or live is None:
            return {
                "status": "no_baseline",
                "message": "this model set was trained without a baseline: train it with `python -m training`",
            }
        return drift_report(baseline, live, hours=HOURS)

    def collect(self) -> Iterator[Metric]:
        """PSI by feature, share of unknowns, bets behind them. With too few bets no PSI, rather than a wild one."""
        live = self.live()
        baseline = self._now.baseline
        score = GaugeMetricFamily("pikkit_drift_psi", "Live traffic against training, PSI", labels=["feature"])
        share = GaugeMetricFamily("pikkit_drift_unknown_share", "Live share of unknown values", labels=["column"])
        trained = GaugeMetricFamily("pikkit_drift_trained_unknown_share", "The same in training", labels=["column"])
        if live is not None and baseline is not None:
            for name, value in live.psi().items():
                score.add_metric([name], value)
            for column, count in zip(CATEGORICAL, live.unknown.tolist(), strict=True):
                share.add_metric([column], count / max(live.bets, 1))
                trained.add_metric([column], baseline.unknown[column])
        yield GaugeMetricFamily(
            "pikkit_drift_baseline", "1 if the model set has a drift baseline", value=int(baseline is not None)
        )
        yield GaugeMetricFamily("pikkit_drift_bets", "Bets behind the drift figures", value=live.bets if live else 0)
        yield score
        yield share
        yield trained


def _claim(folder: Path) -> tuple[Path, int]:
    """A file that no living worker writes, and the lock that keeps it so until this process ends."""
    for number in count(1):
        claim = os.open(folder / f"{number}.claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
        else:
            return folder / f"{number}.drift", claim
    raise AssertionError

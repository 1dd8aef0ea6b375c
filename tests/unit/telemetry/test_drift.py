import itertools
import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pikkit.bets.prediction import GRADES
from pikkit.errors import ModelError
from pikkit.settings import Settings
from pikkit.telemetry.drift import MIN_BETS, Baseline, Counts, drift_report, psi
from pikkit.telemetry.drift_monitor import DriftMonitor
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.recorder import Graded
from tests.support.disks import no_room
from tests.support.exposition import series, value
from tests.support.samples import a_bet, a_prediction

NAMES = ("implied_prob", "is_live")
RNG = np.random.default_rng(7)
_REFS = itertools.count()


def _matrix(n: int, mean: float = 0.5) -> Any:
    matrix = np.column_stack([RNG.normal(mean, 0.1, n), RNG.integers(0, 2, n)]).astype(np.float32)
    matrix[: n // 10, 0] = np.nan
    return matrix


def _outputs(n: int) -> dict[str, Any]:
    return {"win_probability": RNG.uniform(0.3, 0.7, n), "expected_roi": RNG.normal(0, 4, n)}


def _grades(n: int) -> list[str]:
    return [GRADES[i % 5] for i in range(n)]


def _baseline(n: int = 20_000) -> Baseline:
    return Baseline.of(NAMES, _matrix(n), _outputs(n), _grades(n), np.zeros((n, 5), dtype=bool))


def _counts(baseline: Baseline, n: int = 5000, mean: float = 0.5) -> Counts:
    counts = Counts(baseline)
    columns = {name: _matrix(n, mean)[:, i] for i, name in enumerate(NAMES)} | _outputs(n)
    counts.add(columns, _grades(n), RNG.random((n, 5)) < 0.1)
    return counts


def test_psi_is_zero_for_the_same_distribution_and_known_for_two_bins() -> None:
    same = np.array([0.2, 0.3, 0.5])
    assert psi(same, same) == 0
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert psi(np.array([0.5, 0.5]), np.array([0.8, 0.2])) == pytest.approx(expected)


def test_a_bin_that_became_empty_gives_a_finite_psi() -> None:
    assert 0 < psi(np.array([0.5, 0.5]), np.array([1.0, 0.0])) < 10


def test_the_baseline_bins_values_flags_and_missing_ones() -> None:
    baseline = _baseline()
    assert len(baseline.edges["implied_prob"]) == 9
    assert baseline.shares["implied_prob"][:10] == pytest.approx([0.09] * 10, abs=0.002)
    assert baseline.shares["implied_prob"][10] == pytest.approx(0.1)  # missing
    assert baseline.edges["is_live"] == (0.5,)
    assert sum(baseline.shares["is_live"]) == pytest.approx(1)
    assert baseline.grades["A"] == pytest.approx(0.2)


def test_the_baseline_survives_json() -> None:
    baseline = _baseline(2000)
    again = Baseline.from_json(json.loads(json.dumps(baseline.to_json())))
    assert again.edges == baseline.edges
    assert again.shares["implied_prob"] == pytest.approx(baseline.shares["implied_prob"], abs=1e-6)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"bets": 1, "columns": {"x": {"edges": [1, 2], "shares": [1]}}, "grades": {}, "unknown": {}},
        {"bets": 1, "columns": {"x": {"edges": [2, 1], "shares": [1, 0, 0, 0]}}, "grades": {}, "unknown": {}},
        {"bets": 1, "columns": [], "grades": {}, "unknown": {}},
    ],
)
def test_a_baseline_of_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="baseline"):
        Baseline.from_json(broken)


def test_traffic_like_training_is_stable_and_moved_traffic_drifts() -> None:
    baseline = _baseline()
    scores = _counts(baseline).psi()
    assert max(scores.values()) < 0.1
    moved = _counts(baseline, mean=0.6)
    assert moved.psi()["implied_prob"] > 0.25
    assert moved.psi()["is_live"] < 0.1
    report = drift_report(baseline, moved, hours=24)
    assert report["status"] == "drifted"
    assert next(iter(report["psi"])) == "implied_prob"
    assert report["unknown"]["league"]["live"] == pytest.approx(0.1, abs=0.02)


def test_too_few_bets_tell_nothing() -> None:
    baseline = _baseline(2000)
    counts = _counts(baseline, MIN_BETS - 1, mean=0.9)
    assert counts.psi() == {}
    assert drift_report(baseline, counts, hours=24)["status"] == "too_few_bets"


def test_counts_add_up_over_workers() -> None:
    baseline = _baseline(2000)
    one, other = _counts(baseline, 300), _counts(baseline, 400)
    total = Counts(baseline)
    for part in (one, other):
        total.merge(json.loads(json.dumps(part.to_json())))
    assert total.bets == 700
    assert (total.columns["implied_prob"] == one.columns["implied_prob"] + other.columns["implied_prob"]).all()


@dataclass
class Models:
    baseline: Any = field(default_factory=lambda: _baseline(2000).to_json())
    version: str = "1"
    sha256: str = "ab"
    spec: Any = field(default_factory=lambda: SimpleNamespace(names=NAMES))


def _graded(models: Models, n: int, mean: float = 0.5) -> Graded:
    rows = SimpleNamespace(matrix=_matrix(n, mean), unknown_columns=np.zeros((n, 5), dtype=bool))
    bets = [a_bet(client_ref=str(next(_REFS))) for _ in range(n)]
    return Graded(models, bets, [a_prediction()] * n, rows, [time.time()] * n)


@pytest.fixture
def two(tmp_path: Path) -> list[DriftMonitor]:
    return [DriftMonitor(tmp_path) for _ in range(2)]


def test_whichever_worker_is_asked_tells_of_all(two: list[DriftMonitor]) -> None:
    models = Models()
    for monitor in two:
        monitor.use(models)
        monitor.take(_graded(models, 600))
        monitor.flush()
    assert [monitor.report()["bets"] for monitor in two] == [1200, 1200]


def test_a_bet_that_is_asked_about_again_counts_once_an_hour_and_another_one_counts(two: list[DriftMonitor]) -> None:
    models, monitor = Models(), two[0]
    monitor.use(models)
    graded = _graded(models, 100)
    for _ in range(20):
        monitor.take(graded)
    monitor.take(replace(graded, times=[at - 3600 for at in graded.times]))
    monitor.take(_graded(models, 100))
    monitor.close()
    assert monitor.report()["bets"] == 300


def test_a_worker_goes_on_where_one_that_ended_stopped(two: list[DriftMonitor], tmp_path: Path) -> None:
    models = Models()
    for monitor in two:
        monitor.use(models)
        monitor.take(_graded(models, 600))
        monitor.close()
    os.close(two[0]._claim)  # as the kernel does when its process ends
    late = DriftMonitor(tmp_path)
    late.use(models)
    late.take(_graded(models, 600))
    late.close()
    assert late.report()["bets"] == 1800
    assert len(list(tmp_path.glob("*.drift"))) == 2


def test_what_a_full_disk_did_not_take_is_written_once_there_is_room(two: list[DriftMonitor]) -> None:
    models = Models()
    for monitor in two:
        monitor.use(models)
    two[0].take(_graded(models, 600))
    with no_room(), pytest.raises(OSError, match="too large"):
        two[0].flush()
    two[0].close()
    assert two[1].report()["bets"] == 600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sha256": "ab"}', b"\xff"])
def test_a_damaged_file_is_left_out_and_written_anew(two: list[DriftMonitor], tmp_path: Path, content: bytes) -> None:
    models = Models()
    for monitor in two:
        monitor.use(models)
        monitor.take(_graded(models, 600))
        monitor.close()
    (tmp_path / "1.drift").write_bytes(content)
    assert two[1].report()["bets"] == 600
    two[0].take(_graded(models, 600))
    two[0].close()
    assert two[1].report()["bets"] == 1800


def test_another_model_set_begins_anew(two: list[DriftMonitor]) -> None:
    old, new = Models(), Models(sha256="cd")
    two[0].use(old)
    two[0].take(_graded(old, 600))
    two[0].flush()
    two[1].use(new)
    two[1].take(_graded(old, 600))  # graded before the swap
    assert two[1].report()["bets"] == 0


def test_the_metrics_show_psi_once_there_are_enough_bets(tmp_path: Path) -> None:
    metrics, monitor, models = Metrics(Settings()), DriftMonitor(tmp_path), Models()
    metrics.watch(monitor)
    monitor.use(models)
    found = series(metrics.render())
    assert value(found, "pikkit_drift_bets") == 0
    assert not any(name == "pikkit_drift_psi" for name, _ in found)
    monitor.take(_graded(models, 1000, mean=0.8))
    monitor.flush()
    found = series(metrics.render())
    assert value(found, "pikkit_drift_psi", feature="implied_prob") > 0.25
    assert value(found, "pikkit_drift_baseline") == 1


@pytest.mark.parametrize("baseline", [None, {"bets": "many"}])
def test_without_a_readable_baseline_it_says_so_and_counts_nothing(tmp_path: Path, baseline: Any) -> None:
    monitor = DriftMonitor(tmp_path)
    monitor.use(Models(baseline=baseline))
    assert not monitor.wants(1, time.time())
    assert monitor.report()["status"] == "no_baseline"


def test_the_sample_is_bounded_in_bets_per_second(tmp_path: Path) -> None:
    monitor = DriftMonitor(tmp_path)
    monitor.use(Models())
    taken = sum(100 for i in range(1000) if monitor.wants(100, 1000.0 + i / 100))  # 10,000 bets/s for 10 s
    assert 1800 <= taken <= 2500


def test_of_more_bets_than_are_sampled_many_in_a_row_are_taken(tmp_path: Path) -> None:
    monitor = DriftMonitor(tmp_path)
    monitor.use(Models())
    taken = [monitor.wants(1, 1000.0 + i / 3000) for i in range(30_000)]  # 3,000 bets/s for 10 s
    rows = [sum(1 for _ in row) for wanted, row in itertools.groupby(taken) if wanted]
    assert min(rows) >= 32
    assert 1800 <= sum(rows) <= 2400

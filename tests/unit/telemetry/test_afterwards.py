from types import SimpleNamespace
from typing import Any

import pytest

from pikkit.settings import Settings
from pikkit.telemetry.afterwards import Afterwards
from pikkit.telemetry.metrics import Metrics
from tests.support.exposition import series, value
from tests.support.samples import a_bet, a_model_set, a_prediction


class Recorded:
    def __init__(self) -> None:
        self.calls: list[tuple[int, float]] = []

    def graded(self, _models: Any, bets: Any, _predictions: Any, at: float) -> None:
        self.calls.append((len(bets), at))


def a_call(models: Any, bets: int, at: float, *, dry_run: bool = False, chosen: bool = False) -> Any:
    options = SimpleNamespace(dry_run=dry_run, chosen=chosen)
    return SimpleNamespace(
        models=models,
        bets=[a_bet()] * bets,
        predictions=[a_prediction("A")] * bets,
        options=options,
        sizes=[1] * bets,
        at=at,
    )


@pytest.mark.parametrize("same", [True, False])
def test_what_was_graded_is_counted_by_the_next_look_and_recorded_unless_it_was_a_dry_run(same: bool) -> None:
    metrics, recorder = Metrics(Settings(_env_file=None)), Recorded()
    observer = Afterwards(metrics, recorder)  # type: ignore[arg-type]
    first = a_model_set()
    second = first if same else a_model_set()
    for call in (a_call(first, 1, 1.0), a_call(second, 4, 2.0, dry_run=True), a_call(second, 20, 3.0)):
        observer.graded(call)
    assert recorder.calls == []
    found = series(metrics.render())
    assert recorder.calls == [(1, 1.0), (20, 3.0)]
    assert value(found, "pikkit_grades_total", grade="A") == 21
    assert value(found, "pikkit_high_grade_bets_total", grade="A") == 21
    assert [value(found, "pikkit_batch_size_bucket", le=le) for le in ("1.0", "5.0", "20.0")] == [1, 1, 2]
    assert [value(found, f"pikkit_merged_requests_{what}") for what in ("count", "sum")] == [3, 25]
    assert value(series(metrics.render()), "pikkit_grades_total", grade="A") == 21  # once


def test_bets_of_whoever_chose_the_slot_are_recorded_but_not_compared() -> None:
    metrics, recorder = Metrics(Settings(_env_file=None)), Recorded()
    observer = Afterwards(metrics, recorder)  # type: ignore[arg-type]
    models = a_model_set()
    observer.graded(a_call(models, 2, 1.0))
    observer.graded(a_call(models, 50, 2.0, chosen=True))
    found = series(metrics.render())
    assert value(found, "pikkit_grades_total", grade="A") == 2
    assert value(found, "pikkit_win_probability_count") == 2
    assert recorder.calls == [(2, 1.0), (50, 2.0)]

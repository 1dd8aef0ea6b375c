import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pikkit.errors import ModelError
from pikkit.grading.grader import Graded, Grader, Options, batch_answer
from pikkit.grading.predictor import Predictor
from tests.unit.grading.test_market_answers import BET, NOW, Models


class Watched(Predictor):
    """Remembers how many bets each call had."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def predict(self, models: Any, bets: Sequence[Any], now: float, **options: Any) -> Any:
        self.calls.append(len(bets))
        return super().predict(models, bets, now, **options)


def test_batches_that_arrive_together_are_each_graded_by_the_set_that_read_them() -> None:
    old, new = Models(0.2), Models(0.8)
    source = SimpleNamespace(current=old)
    predictor = Watched()
    grader = Grader(predictor, source, clock=lambda: NOW)
    body = {"bets": [BET, {**BET, "odds": 5}, BET]}
    jobs = [grader.read_batch(body, Options())]
    source.current = new  # a reload between two requests that share a call
    jobs += [grader.read_batch(body, Options()), grader.read_batch(body, Options(dry_run=True))]
    answers = [batch_answer(job, predictions) for job, predictions in zip(jobs, grader.grade(jobs), strict=True)]
    chances = [[item["prediction"]["model_probability"] for item in answer["predictions"]] for answer in answers]
    assert chances == [[0.2, 0.2], [0.8, 0.8], [0.8, 0.8]]
    assert [[error["index"] for error in answer["errors"]] for answer in answers] == [[1], [1], [1]]
    assert predictor.calls == [2, 2, 2]


def test_batches_of_one_set_and_one_kind_share_a_call() -> None:
    predictor = Watched()
    models = Models(0.2)
    grader = Grader(predictor, SimpleNamespace(current=models), clock=lambda: NOW)
    jobs = [grader.read_batch({"bets": [BET] * n}, Options()) for n in (1, 3)]
    assert list(map(len, grader.grade(jobs))) == [1, 3]
    assert predictor.calls == [4]


@pytest.mark.parametrize(("seconds", "slowly"), [(0.02, True), (0.001, False)])
def test_only_large_models_explain_slowly(seconds: float, slowly: bool) -> None:
    models = Models(0.2)
    models.explains_within_s = seconds
    assert Grader(Predictor(), SimpleNamespace(current=models), clock=lambda: NOW).explains_slowly() == slowly


class Observing:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def graded(self, graded: Graded) -> None:
        self.told.append(f"{len(graded.bets)} graded")

    def refused(self, _error: Any) -> None:
        self.told.append("refused")


def test_where_one_request_can_not_be_graded_nobody_is_told_of_those_that_came_with_it() -> None:
    observer, source = Observing(), SimpleNamespace(current=Models(0.2))
    grader = Grader(Watched(), source, [observer], clock=lambda: NOW)
    jobs = [grader.read(BET, Options())]
    source.current = Models(math.nan)
    jobs.append(grader.read(BET, Options()))
    with pytest.raises(ModelError):
        grader.grade(jobs)
    assert observer.told == []
    grader.grade(jobs[:1])
    assert observer.told == ["1 graded"]


def test_a_batch_of_bad_bets_only_is_nothing_that_was_graded() -> None:
    observer = Observing()
    grader = Grader(Watched(), SimpleNamespace(current=Models(0.2)), [observer], clock=lambda: NOW)
    job = grader.read_batch({"bets": [{}, "no bet"]}, Options())
    assert batch_answer(job, *grader.grade([job]))["summary"]["failed"] == 2
    assert observer.told == ["refused", "refused"]

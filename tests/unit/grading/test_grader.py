import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pikkit.bets.prediction import GRADES, BatchAnswer
from pikkit.bets.times import utc_text
from pikkit.errors import InvalidRequest, ModelError, ModelsNotLoaded
from pikkit.grading.grader import Graded, Grader, Options, batch_answer
from pikkit.grading.predictor import Predictor
from tests.support.graded import BET, NOW, Models


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


def test_who_watches_is_told_what_was_graded_by_which_set_for_whom_and_when() -> None:
    seen: list[Graded] = []
    observer = SimpleNamespace(graded=seen.append, refused=None)
    models = Models(0.2)
    grader = Grader(Predictor(), SimpleNamespace(current=models), [observer], clock=lambda: NOW)
    options = Options(caller="a1", warnings=("the whole is old",))
    jobs = [grader.read_batch({"bets": [{**BET, "stake": 5}] * n}, options) for n in (1, 2)]
    answers = [batch_answer(*pair) for pair in zip(jobs, grader.grade(jobs), strict=True)]
    [told] = seen
    assert (told.models, told.options, told.sizes, told.at) == (models, options, [1, 2], NOW)
    assert list(told.bets) == [bet for job in jobs for bet in job.bets]
    sent = [item["prediction"] for answer in answers for item in answer["predictions"]]
    assert sent == list(told.predictions)
    for prediction in sent:
        assert prediction["warnings"][-2:] == ["unknown fields are ignored: stake", "the whole is old"]


SIDES = [{"selection": "MTL", "odds": 120}, {"selection": "BOS", "odds": -140}]
MARKET = {**BET, "odds": 120, "selection": "MTL", "market_prices": SIDES}


@pytest.mark.parametrize(
    ("bet", "names"),
    [
        ({**MARKET, "reference_prices": [{"book": "X", "at": None, "prices": SIDES}], "legs": [BET, BET]}, None),
        ({**MARKET, "reference_prices": " ", "legs": ""}, None),
        ({**MARKET, "stake": 5}, "stake"),
        ({**MARKET, "market_prices": [SIDES[0], {**SIDES[1], "point": 1.5}]}, "market_prices[1].point"),
        ({**MARKET, "reference_prices": [{"book": "X", "last_update": 1, "prices": SIDES}]},
         "reference_prices[0].last_update"),
        ({**MARKET, "reference_prices": [{"book": "X", "prices": [{**SIDES[0], "a": 1}, SIDES[1]]}]},
         "reference_prices[0].prices[0].a"),
        ({**BET, "legs": [BET, {**BET, "evnt": "x"}]}, "legs[1].evnt"),
        ({**BET, "legs": [BET, {**MARKET, "market_prices": [{**SIDES[0], "a": 1}, SIDES[1]]}]},
         "legs[1].market_prices[0].a"),
        ({**BET, **dict.fromkeys("fedcba")}, "a, b, c, d, e"),
    ],
)  # fmt: skip
def test_names_that_mean_nothing_are_told_wherever_they_stand(bet: dict[str, Any], names: str | None) -> None:
    grader = Grader(Predictor(), SimpleNamespace(current=Models(0.2)), clock=lambda: NOW)
    plain = {**BET, "market_prices": None, "legs": None}
    job = grader.read_batch({"bets": [plain, bet]}, Options())
    [first, told] = grader.grade([job])[0]
    said = [words for words in told["warnings"] if words.startswith("unknown fields")]
    assert said == ([f"unknown fields are ignored: {names}"] if names else [])
    assert not any("unknown fields" in words for words in first["warnings"])


def test_one_bet_is_told_as_a_request_of_its_own() -> None:
    seen: list[Graded] = []
    grader = Grader(
        Predictor(),
        SimpleNamespace(current=Models(0.2)),
        [SimpleNamespace(graded=seen.append, refused=None)],
        clock=lambda: NOW,
    )
    [[found]] = grader.grade([grader.read(BET, Options())])
    assert found["timestamp"] == utc_text(NOW) == "2026-01-26T12:00:00.000Z"
    assert (list(seen[0].sizes), seen[0].at) == ([1], NOW)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], 'the body is not a batch: send {"bets": [ … ]}'),
        ({"bets": "all"}, 'the body is not a batch: send {"bets": [ … ]}'),
        ({"bets": []}, "0 bets in one batch: send 1 to 100"),
        ({"bets": [BET] * 101}, "101 bets in one batch: send 1 to 100"),
    ],
)
def test_what_is_no_batch_is_told_what_one_is(body: object, message: str) -> None:
    grader = Grader(Predictor(), SimpleNamespace(current=Models(0.2)), clock=lambda: NOW)
    with pytest.raises(InvalidRequest) as caught:
        grader.read_batch(body, Options())
    assert (caught.value.message, caught.value.field) == (message, "bets")


def test_without_a_model_set_there_is_no_answer_but_the_way_to_one() -> None:
    grader = Grader(Predictor(), SimpleNamespace(current=None), clock=lambda: NOW)
    said = r"^no model set is loaded: import one with import_models\.py or fill MODEL_DIR$"
    with pytest.raises(ModelsNotLoaded, match=said):
        grader.read(BET, Options())
    with pytest.raises(ModelsNotLoaded, match=said):
        grader.read_batch({"bets": [BET]}, Options())


def answered(grader: Grader, bets: list[Any]) -> BatchAnswer:
    job = grader.read_batch({"bets": bets}, Options())
    [predictions] = grader.grade([job])
    return batch_answer(job, predictions)


def test_a_batch_is_summed_up_over_its_valid_bets() -> None:
    grader = Grader(Predictor(), SimpleNamespace(current=Models(0.2)), clock=lambda: NOW)
    bets = [BET, {**BET, "odds": 5}, {**BET, "odds": 400}]
    answer = answered(grader, bets)
    assert [item["index"] for item in answer["predictions"]] == [0, 2]
    assert [item["bet"] for item in answer["predictions"]] == [bets[0], bets[2]]
    [error] = answer["errors"]
    assert (error["index"], error["bet"], error["error"]["field"]) == (1, bets[1], "odds")
    graded = [item["prediction"] for item in answer["predictions"]]
    assert answer["summary"] == {
        "total": 3,
        "successful": 2,
        "failed": 1,
        "grade_distribution": {grade: [one["bet_grade"] for one in graded].count(grade) for grade in GRADES},
        "average_expected_roi": round(sum(one["expected_roi"] for one in graded) / 2, 6),
        "average_win_probability": 0.2,
    }
    empty = answered(grader, [{}])
    assert (empty["summary"]["average_expected_roi"], empty["summary"]["average_win_probability"]) == (None, None)

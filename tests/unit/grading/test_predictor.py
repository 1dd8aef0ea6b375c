import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.numbers import Numbers
from pikkit.bets.prediction import GRADES, Prediction
from pikkit.bets.reading import read_bet
from pikkit.errors import ModelError
from pikkit.features.facts import Categories
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import FEATURES, matrix_of
from pikkit.grading.decision import Rules
from pikkit.grading.opinion import Opinion
from pikkit.grading.predictor import Predictor
from pikkit.grading.settled import settled_figures
from pikkit.history.history import History
from tests.support.samples import a_bet
from tests.support.settled import columns_of, settled

NOW = 1_769_428_800.5
HISTORY = History.from_bets(
    settled(
        [
            {"sport": sport, "league": league, "market": market, "won": (i * 7) % 3 == 0, "odds": odds, "time": 1e9 + i}
            for i, (sport, league, market, odds) in enumerate(
                [("Basketball", "NBA", "Moneyline", -110.0), ("Tennis", "ATP", "Spread", 145.0)] * 40
            )
        ]
    )
)
VALUES = {
    "sport": ["Basketball", " tennis", "Curling"],
    "league": ["NBA", "ATP", "Moon League"],
    "market": ["Moneyline", "spread", "Total"],
    "institution_name": ["DraftKings", "Fanduel Sportsbook", "Nobody"],
    "bet_type": ["straight", "single", "parlay", "teaser of 3"],
}
CLASSES = {
    "sport": ["Basketball", "Tennis"],
    "league": ["NBA", "Unknown", "nba"],
    "market": ["Spread", "Moneyline"],
    "institution_name": ["FanDuel", "DraftKings"],
    "bet_type": ["parlay", "straight"],
}
FULL = FeatureSpec.from_metadata({"features": list(FEATURES), "encoders": CLASSES})
SOME = [name for name in reversed(list(FEATURES)) if name not in ("sport_encoded", "is_live", "hour_of_day")]
PARTLY = FeatureSpec.from_metadata({"features": SOME, "encoders": {**CLASSES, "sport": []}})

american = st.one_of(
    st.integers(100, 100_000).map(float),
    st.integers(-100_000, -101).map(float),
    st.floats(100, 100_000),
    st.floats(-100_000, -100.001),
)
bets = st.builds(
    Bet,
    **{column: st.sampled_from(values) for column, values in VALUES.items()},
    odds=american,
    is_live=st.booleans(),
    clv_percentage=st.none() | st.floats(-1000, 1000),
    placed_at=st.none() | st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),  # noqa: DTZ001 - made aware in the same line
    client_ref=st.none() | st.just("mine"),
)
histories = st.sampled_from([HISTORY, History.empty()])


class Models:
    """A model set of made-up functions, different for each row."""

    version = "20260101_000000"

    opinion = Opinion()

    def __init__(self, history: History, spec: FeatureSpec, *, roi: str) -> None:
        self.history = history
        self.spec = spec
        self.roi_from_price = roi == "price"

    def win_probability(self, matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(0.5 + 0.7 * np.sin(np.nan_to_num(matrix[:, 4:12].astype(np.float64)).sum(axis=1)))

    def roi(self, matrix: npt.NDArray[np.floating], probability: Numbers, odds: Numbers) -> Numbers:
        del odds
        scores = 30 * np.cos(np.nan_to_num(matrix[:, 3:9].astype(np.float64)).sum(axis=1))
        asked: object = probability
        answer: Any = scores.item() if isinstance(asked, float) else scores
        return cast("Numbers", answer)

    explains_within_s = 0.0

    def contributions(self, matrix: npt.NDArray[np.floating]) -> Any:
        raise NotImplementedError


@given(bet=bets, history=histories, spec=st.sampled_from([FULL, PARTLY]), neutral=st.sampled_from([0, 100]))
def test_a_bet_has_the_feature_row_alone_that_it_has_in_training(
    bet: Bet, history: History, spec: FeatureSpec, neutral: int
) -> None:
    columns = columns_of([bet], NOW)
    many = build_rows(columns, history.lookup(columns), spec, neutral_count=neutral)
    facts = Categories(spec.encoders, history, neutral_count=neutral).one(bet, NOW)
    assert matrix_of(facts, spec.features).tobytes() == many.matrix.tobytes()
    assert matrix_of(facts, spec.features).dtype == many.matrix.dtype
    assert [facts.unknown.get(name, False) for name in CATEGORICAL] == many.unknown_columns[0].tolist()
    assert [facts.sample_size] == many.sample_size.tolist()


@given(bet=bets, other=bets, history=histories, roi=st.sampled_from(["price", "own"]))
def test_a_bet_gets_the_same_answer_alone_and_among_others(bet: Bet, other: Bet, history: History, roi: str) -> None:
    models = Models(history, FULL, roi=roi)
    predictor = Predictor(Rules(c_roi=1.0), ttl_s=7)
    [alone] = predictor.predict(models, [bet], NOW)
    for others in (1, 2, 3, 4, 9):  # a few are graded one by one, more by columns
        among = predictor.predict(models, [other] * others + [bet], NOW)[-1]
        assert alone == among
        assert repr(alone) == repr(among)  # -0.0 equals 0.0, but is not written so


OPINIONS = [Opinion(), Opinion(lowest=0.4, highest=0.6), Opinion(trained_here=True, knows_edges=False)]


@given(
    asked=st.lists(bets, min_size=1, max_size=6),
    roi=st.sampled_from(["price", "own"]),
    opinion=st.sampled_from(OPINIONS),
)
def test_settled_bets_are_judged_by_the_answers_that_callers_get(asked: list[Bet], roi: str, opinion: Opinion) -> None:
    models, rules = Models(HISTORY, FULL, roi=roi), Rules(c_roi=1.0)
    models.opinion = opinion
    columns = columns_of(asked, NOW)
    found, _ = settled_figures(models, columns, HISTORY.lookup(columns), rules)
    served = Predictor(rules).predict(models, asked, NOW)
    assert [GRADES[i] for i in np.asarray(found.grade)] == [one["bet_grade"] for one in served]
    for name in ("win_probability", "expected_roi", "recommended_stake_pct", "confidence", "model_probability"):
        assert np.asarray(getattr(found, name)).tolist() == [cast("Any", one)[name] for one in served]


@pytest.mark.parametrize("count", [1, 9])
def test_an_answer_has_the_fields_that_are_promised(count: int) -> None:
    asked = [a_bet(odds=100 + i) for i in range(count)]
    for bet, found in zip(asked, Predictor().predict(Models(HISTORY, FULL, roi="price"), asked, NOW), strict=True):
        assert found.keys() == Prediction.__annotations__.keys() - {"client_ref", "reasons"}
        assert found["implied_probability"] == pytest.approx(100 / (100 + bet.odds), abs=1e-6)
        assert found["edge"] == pytest.approx(found["win_probability"] - found["implied_probability"], abs=2e-6)
        assert found["edge"] != 0


@pytest.mark.parametrize("answers", [(math.nan, 1.0), (math.inf, 1.0), (0.5, math.nan), (0.5, math.inf)])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_model_that_answers_with_no_number_is_refused(answers: tuple[float, float], count: int) -> None:
    broken: Any = SimpleNamespace(
        version="x",
        opinion=Opinion(),
        roi_from_price=False,
        history=HISTORY,
        spec=FULL,
        win_probability=lambda matrix: np.full(len(matrix), answers[0]),
        roi=lambda _matrix, probability, _odds: answers[1] + 0 * probability,
    )
    bet = Bet(sport="Tennis", league="ATP", market="Spread", institution_name="DraftKings", odds=-110)
    with pytest.raises(ModelError, match="no numbers"):
        Predictor().predict(broken, [bet] * count, NOW)


@pytest.mark.parametrize(
    ("bet", "expected"),
    [
        (
            {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "odds": -110},
            (0.753545, -24.454937),
        ),
        (
            {
                "sport": " tennis",
                "league": "ATP",
                "market": "spread",
                "institution_name": "Fanduel Sportsbook",
                "odds": 145,
                "bet_type": "single",
                "is_live": True,
            },
            (0.739065, -22.286492),
        ),
        (
            {
                "sport": "Basketball",
                "league": "nba",
                "market": "Moneyline",
                "institution_name": "FanDuel",
                "odds": -250,
                "clv_percentage": 2.5,
            },
            (0.251378, 28.805109),
        ),
        (
            {
                "sport": "Tennis",
                "league": "ATP",
                "market": "Moneyline",
                "odds": 900,
                "bet_type": "parlay",
                "placed_at": "2026-01-26T12:00:00Z",
            },
            (0.75076, 13.607884),
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 9])
def test_chance_and_return_of_names_that_the_set_knows_are_what_they_always_were(
    bet: dict[str, Any], expected: tuple[float, float], count: int
) -> None:
    read = read_bet({"institution_name": "DraftKings", **bet})
    found = Predictor().predict(Models(HISTORY, FULL, roi="own"), [read] * count, NOW)[-1]
    assert (found["win_probability"], found["expected_roi"]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("odds", "outside"), [(426, True), (400, False), (-400, False), (-426, True)])
@pytest.mark.parametrize("count", [1, 9])
def test_a_price_of_which_too_few_were_seen_is_a_d_at_the_most(odds: int, outside: bool, count: int) -> None:
    class Narrow(Models):
        opinion = Opinion(lowest=0.2, highest=0.8)

        def win_probability(self, matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
            return np.full(len(matrix), 0.99)

    bet = read_bet(
        {"sport": "Tennis", "league": "ATP", "market": "Spread", "institution_name": "DraftKings", "odds": odds}
    )
    found = Predictor().predict(Narrow(HISTORY, FULL, roi="price"), [bet] * count, NOW)[-1]
    assert any("too few bets at such prices" in words for words in found["warnings"]) == outside
    assert (found["bet_grade"] in "ABC") != outside


@pytest.mark.parametrize("count", [1, 9])
def test_the_operators_stake_rules_hold_for_one_bet_and_for_many(count: int) -> None:
    class Sure(Models):
        def win_probability(self, matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
            return np.full(len(matrix), 0.6)

    models = Sure(HISTORY, FULL, roi="price")
    bet = read_bet(
        {"sport": "Tennis", "league": "ATP", "market": "Spread", "institution_name": "DraftKings", "odds": 100}
    )
    for rules, stake in (
        (Rules(), 5.0),
        (Rules(kelly_multiplier=0.1), 2.0),
        (Rules(max_stake_pct=3.0), 3.0),
    ):
        assert Predictor(rules).predict(models, [bet] * count, NOW)[-1]["recommended_stake_pct"] == stake


def test_rows_of_bets_are_those_that_training_makes() -> None:
    read = [
        Bet(sport="Tennis", league="ATP", market="Spread", institution_name="DraftKings", odds=odds)
        for odds in (-110, 145)
    ]
    rows = Predictor(neutral_count=7).rows(Models(HISTORY, PARTLY, roi="own"), read, NOW)
    columns = columns_of(read, NOW)
    made = build_rows(columns, HISTORY.lookup(columns), PARTLY, neutral_count=7)
    assert rows.matrix.tobytes() == made.matrix.tobytes()
    assert rows.sample_size.tolist() == made.sample_size.tolist()

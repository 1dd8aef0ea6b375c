"""What holds for every answer: no edge where the set has none, parlays, two returns, no contradiction."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pikkit.bets.numbers import Numbers
from pikkit.grading.opinion import Opinion
from tests.support.graded import BET, Models, graded, pinnacle, sides


def test_a_set_without_trees_claims_no_edge_at_any_price() -> None:
    models = Models(beyond=0.05, opinion=Opinion(trained_here=True, knows_edges=False))
    for odds in (-110, -1000, -9900, -100_000, 150, 100_000):
        for others in (0, 5):  # alone, and by columns
            found = graded(*[{"odds": odds}] * (others + 1), models=models)[-1]
            assert found["bet_grade"] in "DF"
            assert found["edge"] <= 0
            assert found["recommended_stake_pct"] == 0


def test_outside_of_its_prices_a_set_of_ours_has_no_edge_and_a_users_set_no_stake() -> None:
    bounds: dict[str, Any] = {"lowest": 0.3, "highest": 0.7}
    [ours] = graded({"odds": -900}, models=Models(beyond=0.05, opinion=Opinion(**bounds, trained_here=True)))
    [users] = graded({"odds": -900}, models=Models(beyond=0.05, opinion=Opinion(**bounds)))
    [inside] = graded({"odds": -110}, models=Models(beyond=0.05, opinion=Opinion(**bounds)))
    assert ours["win_probability"] <= ours["implied_probability"]
    assert users["win_probability"] == pytest.approx(0.95)
    assert (users["bet_grade"], users["recommended_stake_pct"], users["profitable"]) == ("D", 0, False)
    assert any("too few bets at such prices" in words for words in users["warnings"])
    assert inside["recommended_stake_pct"] > 0
    for trained_here in (True, False):  # where others tell the chance, it does not matter what the set has seen
        opinion = Opinion(**bounds, trained_here=trained_here, weight_market=1.0, weight_reference=1.0)
        bet = {"odds": -300, "selection": "MTL", "reference_prices": pinnacle(-500, 450)}
        [told] = graded(bet, models=Models(0.99, opinion=opinion))
        assert told["win_probability"] == pytest.approx(told["fair_probability"], abs=2e-6)
        assert told["recommended_stake_pct"] > 0


def leg(event: str | None, **changes: Any) -> dict[str, Any]:
    return {**BET, "event": event, "odds": 120, "selection": "MTL", "reference_prices": pinnacle(-130, 118), **changes}


PARLAY = {"sport": "Parlay", "league": None, "market": "Parlay", "bet_type": "parlay", "odds": 350}


def test_a_parlay_of_independent_legs_has_the_product_of_their_chances() -> None:
    [one] = graded(leg("MTL @ BOS"))
    [found] = graded({**PARLAY, "legs": [leg("MTL @ BOS"), leg("MTL @ NYR")]})
    assert found["win_probability"] == pytest.approx(one["win_probability"] ** 2, abs=1e-6)
    assert found["fair_probability"] == pytest.approx(one["win_probability"] ** 2, abs=1e-6)
    assert (found["bet_grade"], found["confidence"]) == ("A", one["confidence"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "legs are not known"),
        ({"bet_type": "SGP", "market": "SGP"}, "legs are not known"),
        ({"bet_type": "straight"}, "legs are not known"),
        ({"legs": [leg("MTL @ BOS"), leg(" mtl @ bos")]}, "of one event"),
        ({"legs": [leg("MTL @ BOS"), leg(None)]}, "leg 2 names no event"),
        ({"legs": [leg("MTL @ BOS"), leg("MTL @ NYR", reference_prices=None)]}, "leg 2 has no fair price"),
        ({"legs": [leg("MTL @ BOS"), leg("MTL @ NYR")], "bet_type": "teaser of 2"}, "no prices of their own"),
        ({"legs": [leg("MTL @ BOS"), leg("MTL @ NYR")], "bet_type": "round_robin_3"}, "no prices of their own"),
    ],
)
@pytest.mark.parametrize("others", [0, 5])
def test_other_parlays_are_a_d_at_the_most(changes: dict[str, Any], said: str, others: int) -> None:
    found = graded(*[{}] * others, {**PARLAY, **changes}, models=Models(0.9))[-1]
    assert found["bet_grade"] in "DF"
    assert (found["recommended_stake_pct"], found["profitable"]) == (0, False)
    assert any(said in words for words in found["warnings"]), found["warnings"]


def test_the_lower_of_two_returns_decides_and_both_are_named() -> None:
    class Hopeful(Models):
        def roi(self, matrix: npt.NDArray[np.floating], probability: Numbers, odds: Numbers) -> Numbers:
            return 9.0 + 0 * super().roi(matrix, probability, odds)

    for others in (0, 5):
        found = graded(*[{}] * (others + 1), models=Hopeful(0.5))[-1]
        assert (found["bet_grade"], found["expected_roi"], found["recommended_stake_pct"]) == ("F", 9.0, 0)
        assert any("+9.0 %" in words and "-4.5 %" in words for words in found["warnings"])


@pytest.mark.parametrize("league", [None, "", "null", "None", "\u200b"])
def test_a_bet_without_a_league_is_of_the_class_for_none(league: str | None) -> None:
    [found] = graded({"league": league})
    assert not any("league" in words for words in found["warnings"])


@example(chance=0.0, mine=101, others=[101, 101], weights=None, reference=False)
@given(
    chance=st.floats(0, 1),
    mine=st.integers(101, 3000) | st.integers(-3000, -101),
    others=st.lists(st.integers(101, 3000) | st.integers(-3000, -101), min_size=2, max_size=2),
    weights=st.tuples(st.floats(0, 1), st.floats(0, 1)) | st.none(),
    reference=st.booleans(),
)
def test_no_answer_contradicts_itself(
    chance: float, mine: int, others: list[int], weights: tuple[float, float] | None, reference: bool
) -> None:
    opinion = Opinion() if weights is None else Opinion(weight_market=weights[0], weight_reference=weights[1])
    market = {"market_prices": sides(("MTL", mine), ("BOS", others[0]))}
    more = {"reference_prices": pinnacle(others[1], others[0])} if reference else {}
    [found] = graded({"odds": mine, "selection": "MTL", **market, **more}, models=Models(chance, opinion=opinion))
    good = found["bet_grade"] in "ABC"
    assert good == found["profitable"] == (found["recommended_stake_pct"] > 0)
    assert 0 <= found["win_probability"] <= 1
    assert 0 <= found["confidence"] <= 1
    if good:
        assert found["expected_roi"] > 0
    if (found["fair_method"] is None) != (found["fair_probability"] is None):
        pytest.fail("a fair probability without its method")

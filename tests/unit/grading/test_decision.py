import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.odds import kelly_fraction
from pikkit.bets.prediction import GRADES
from pikkit.grading.decision import Decision, Rules, decide

RULES = Rules()
ROIS = st.floats(-100, 1000)
SHARES = st.floats(0, 1)
RULE_SETS = st.builds(
    Rules,
    **{f"{letter}_roi": st.floats(-50, 50) for letter in "abcd"},
    **{f"{letter}_confidence": SHARES for letter in "abc"},
    kelly_multiplier=st.floats(0.01, 1),
    max_stake_pct=st.floats(0.01, 100),
)


def letter_of(decision: Decision) -> str:
    assert isinstance(decision.grade, int)
    return GRADES[decision.grade]


@pytest.mark.parametrize(
    ("roi", "trust", "kelly", "letter"),
    [
        (5.1, 0.71, 0.01, "A"),
        (5.0, 0.71, 0.01, "B"),
        (5.1, 0.70, 0.01, "B"),
        (3.1, 0.51, 0.01, "B"),
        (3.0, 0.51, 0.01, "C"),
        (3.1, 0.50, 0.01, "C"),
        (0.1, 0.31, 0.01, "C"),
        (0.1, 0.30, 0.01, "D"),
        (0.0, 0.9, 0.01, "D"),
        (9.0, 0.9, 0.0, "D"),
        (-1.9, 0.9, 0.0, "D"),
        (-2.0, 0.9, 0.0, "F"),
    ],
)
def test_thresholds_must_be_exceeded(roi: float, trust: float, kelly: float, letter: str) -> None:
    assert letter_of(decide(roi, trust, kelly, RULES)) == letter


def test_thresholds_are_settings() -> None:
    assert letter_of(decide(1.0, 0.2, 0.01, Rules(a_roi=0.5, a_confidence=0.1))) == "A"
    assert letter_of(decide(-1.0, 1.0, 0.0, Rules(d_roi=100.0))) == "F"


def test_a_limited_bet_is_a_d_at_the_most_without_a_stake() -> None:
    assert decide(50.0, 1.0, 0.5, RULES, limited=True) == Decision(GRADES.index("D"), 0.0, False)
    assert letter_of(decide(-50.0, 1.0, 0.0, RULES, limited=True)) == "F"


@pytest.mark.parametrize(
    ("rules", "kelly", "stake"),
    [
        (Rules(), 0.0, 0.0),
        (Rules(), 0.04, 1.0),
        (Rules(), 0.9, 5.0),
        (Rules(kelly_multiplier=0.5), 0.04, 2.0),
        (Rules(max_stake_pct=2.0), 0.9, 2.0),
    ],
)
def test_the_stake_is_a_share_of_kelly_and_capped(rules: Rules, kelly: float, stake: float) -> None:
    assert decide(9.0, 1.0, kelly, rules).stake_pct == pytest.approx(stake)


@given(ROIS, SHARES, SHARES, st.floats(-100_000, -100.001) | st.floats(100, 100_000), st.booleans(), RULE_SETS)
def test_grade_stake_and_profitable_never_contradict_each_other(
    roi: float, trust: float, probability: float, odds: float, limited: bool, rules: Rules
) -> None:
    decision = decide(roi, trust, kelly_fraction(probability, odds), rules, limited=limited)
    good = letter_of(decision) in "ABC"
    assert good == decision.profitable == (decision.stake_pct > 0)
    assert not good or (roi > 0 and not limited)
    assert 0 <= decision.stake_pct <= rules.max_stake_pct + 1e-6


@given(ROIS, SHARES, SHARES, st.booleans(), RULE_SETS)
def test_the_decision_on_one_bet_is_that_on_an_array(
    roi: float, trust: float, kelly: float, limited: bool, rules: Rules
) -> None:
    many = decide(np.array([roi]), np.array([trust]), np.array([kelly]), rules, limited=np.array([limited]))
    assert [np.asarray(column).item() for column in many] == list(decide(roi, trust, kelly, rules, limited=limited))

import numpy as np
import pytest

from pikkit.bets.prediction import GRADES
from pikkit.grading.decision import Rules, decide

RULES = Rules()


def graded(roi: float, trust: float, kelly: float, rules: Rules = RULES) -> tuple[str, bool]:
    decision = decide(roi, trust, kelly, rules)
    assert isinstance(decision.grade, int)
    return GRADES[decision.grade], bool(decision.disagree)


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
        (0.0, 0.9, 0.0, "D"),
        (-1.9, 0.9, 0.0, "D"),
        (-2.0, 0.9, 0.0, "F"),
    ],
)
def test_thresholds_must_be_exceeded(roi: float, trust: float, kelly: float, letter: str) -> None:
    assert graded(roi, trust, kelly) == (letter, False)


@pytest.mark.parametrize(("roi", "kelly"), [(9.0, 0.0), (-1.0, 0.1)])
def test_where_the_models_disagree_the_grade_is_at_most_c(roi: float, kelly: float) -> None:
    letter, disagree = graded(roi, 0.9, kelly)
    assert disagree
    assert letter in ("C", "D")


def test_thresholds_are_settings() -> None:
    assert graded(1.0, 0.2, 0.01, Rules(a_roi=0.5, a_confidence=0.1)) == ("A", False)
    assert graded(-1.0, 1.0, 0.0, Rules(d_roi=100.0)) == ("F", False)


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


@pytest.mark.parametrize("roi", [-30.0, -2.0, -0.5, 0.0, 0.5, 3.0, 4.0, 5.0, 6.0])
@pytest.mark.parametrize("trust", [0.0, 0.3, 0.31, 0.5, 0.51, 0.7, 0.71, 1.0])
@pytest.mark.parametrize("kelly", [0.0, 0.01])
def test_the_decision_on_one_bet_is_that_on_an_array(roi: float, trust: float, kelly: float) -> None:
    many = decide(np.array([roi]), np.array([trust]), np.array([kelly]), RULES)
    assert [np.asarray(column).item() for column in many] == list(decide(roi, trust, kelly, RULES))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.grading.decision import GRADES, Rules, confidence, grade, stake_pct

KNOWN = np.zeros((1, 5), dtype=bool)


RULES = Rules()


def graded(roi: float, trust: float, kelly: float, rules: Rules = RULES) -> tuple[str, bool]:
    result = grade(np.array([roi]), np.array([trust]), np.array([kelly]), rules)
    return GRADES[result.grade[0]], bool(result.disagree[0])


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


def test_without_history_the_confidence_allows_neither_a_nor_b() -> None:
    assert confidence(np.array([0]), KNOWN)[0] == 0.5


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_confidence_rises_with_the_sample(n: int, m: int) -> None:
    low, high = sorted((n, m))
    assert confidence(np.array([low]), KNOWN)[0] <= confidence(np.array([high]), KNOWN)[0] <= 1


@given(st.integers(0, 10**6), st.lists(st.booleans(), min_size=5, max_size=5), st.integers(0, 4))
def test_confidence_falls_with_every_unknown(n: int, unknown: list[bool], column: int) -> None:
    fewer = np.array([unknown])
    more = fewer.copy()
    more[0, column] = True
    lower, upper = confidence(np.array([n]), more)[0], confidence(np.array([n]), fewer)[0]
    assert 0 <= lower <= upper
    assert lower < upper or unknown[column]


def test_the_stake_is_quarter_kelly_and_capped() -> None:
    assert stake_pct(np.array([0.0, 0.04, 0.9]), Rules()).tolist() == [0.0, 1.0, 5.0]

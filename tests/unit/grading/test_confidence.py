from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.numbers import Value
from pikkit.grading.decision import UNKNOWN_COST, confidence

SAMPLES = st.integers(0, 10**6).map(float)
SOME = st.sets(st.sampled_from(CATEGORICAL))


def trust(sample: float, unknown: Iterable[str] = ()) -> Value:
    return confidence(sample, {name: name in unknown for name in CATEGORICAL})


@pytest.mark.parametrize(("sample", "expected"), [(0.0, 0.5), (100.0, 0.75), (300.0, 0.875), (1e9, 1.0)])
def test_half_of_it_comes_with_the_sample_and_half_of_that_with_100_bets(sample: float, expected: float) -> None:
    assert trust(sample) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("column", "kept"), [("sport", 0.6), ("league", 0.9), ("market", 0.7), ("institution_name", 0.9), ("bet_type", 0.7)]
)
def test_an_unknown_name_costs_its_share(column: str, kept: float) -> None:
    assert trust(0.0, [column]) == pytest.approx(0.5 * kept)
    assert set(UNKNOWN_COST) == set(CATEGORICAL)


@given(SAMPLES, SAMPLES, SOME)
def test_it_rises_with_the_sample(n: float, m: float, unknown: set[str]) -> None:
    low, high = sorted((n, m))
    assert 0 <= trust(low, unknown) <= trust(high, unknown) <= 1


@given(SAMPLES, SOME, st.sampled_from(CATEGORICAL))
def test_it_falls_with_every_unknown(n: float, unknown: set[str], column: str) -> None:
    assert trust(n, {*unknown, column}) < trust(n, unknown) or column in unknown


@given(SAMPLES, SOME)
def test_of_one_bet_it_is_that_of_an_array(sample: float, unknown: set[str]) -> None:
    flags = {name: np.array([name in unknown]) for name in CATEGORICAL}
    assert np.asarray(confidence(np.array([sample]), flags)).tolist() == [trust(sample, unknown)]

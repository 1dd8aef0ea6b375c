import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.odds import (
    american_to_decimal,
    decimal_to_american,
    expected_roi_pct,
    implied_probability,
    kelly_fraction,
    parse_american,
    parse_decimal,
    parse_fractional,
)

AMERICAN = st.one_of(st.floats(100, 100_000), st.floats(-100_000, -100))
PROBABILITY = st.floats(0, 1)


@pytest.mark.parametrize(
    ("written", "american"),
    [
        (-110, -110),
        (150, 150),
        ("+150", 150),
        (" -110 ", -110),
        ("\u2212110", -110),
        ("EVEN", 100),
        ("ev", 100),
        ("PK", 100),
        (-100, 100),
        ("-100", 100),
        (-100_000, -100_000),
        (104.5, 104.5),
    ],
)
def test_american_odds_are_read_as_they_are_written(written: float | str, american: float) -> None:
    assert parse_american(written) == american


@pytest.mark.parametrize(
    "value",
    [
        0,
        50,
        99,
        -99.9,
        1.91,
        "abc",
        "",
        "+",
        "1e400",
        "--110",
        "1_000",
        "\u0661\u0665\u0660",
        math.nan,
        math.inf,
        10**400,
    ],
)
def test_what_is_no_american_price_is_refused_with_a_remedy(value: float | str) -> None:
    with pytest.raises(ValueError, match="send"):
        parse_american(value)


def test_a_decimal_price_without_its_format_is_told_about_odds_format() -> None:
    with pytest.raises(ValueError, match="odds_format=decimal"):
        parse_american(1.91)


@pytest.mark.parametrize(("decimal", "american"), [(1.5, -200), ("2.50", 150), (2, 100), (1.909090909, -110.00000009)])
def test_decimal_odds_become_american(decimal: float | str, american: float) -> None:
    assert parse_decimal(decimal) == pytest.approx(american)


@pytest.mark.parametrize("value", [1, 0.5, 0, -2, "x", math.nan])
def test_decimal_odds_that_pay_nothing_are_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match=r"send|write"):
        parse_decimal(value)


@pytest.mark.parametrize(("fraction", "american"), [("3/2", 150), ("10/11", -110), ("1/1", 100), (" 1 / 2 ", -200)])
def test_fractional_odds_become_american(fraction: str, american: float) -> None:
    assert parse_fractional(fraction) == pytest.approx(american)


@pytest.mark.parametrize("value", ["0/1", "1/0", "3", "a/b", 1.5, "-1/2"])
def test_what_is_no_fraction_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match=r"send|write"):
        parse_fractional(value)


@given(AMERICAN)
def test_american_to_decimal_and_back_is_the_same_price(american: float) -> None:
    decimal = american_to_decimal(american)
    assert american_to_decimal(decimal_to_american(decimal)) == pytest.approx(decimal, rel=1e-9)


@given(AMERICAN)
def test_the_implied_probability_is_a_probability_and_one_over_the_decimal_price(american: float) -> None:
    implied = implied_probability(american)
    assert 0 < implied < 1
    assert implied * american_to_decimal(american) == pytest.approx(1)


@given(AMERICAN, PROBABILITY)
def test_a_stake_is_advised_exactly_where_the_expected_value_is_positive(american: float, p: float) -> None:
    roi, kelly = expected_roi_pct(p, american), kelly_fraction(p, american)
    assert (kelly > 0) == (roi > 0)
    assert 0 <= kelly <= 1
    assert roi >= -100


@given(AMERICAN, PROBABILITY, PROBABILITY)
def test_a_better_chance_never_lowers_return_or_stake(american: float, p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert expected_roi_pct(low, american) <= expected_roi_pct(high, american)
    assert kelly_fraction(low, american) <= kelly_fraction(high, american)


@given(st.lists(st.tuples(AMERICAN, PROBABILITY), min_size=1, max_size=20))
def test_arrays_give_what_single_numbers_give(pairs: list[tuple[float, float]]) -> None:
    american = np.array([pair[0] for pair in pairs])
    p = np.array([pair[1] for pair in pairs])
    for function in (expected_roi_pct, kelly_fraction):
        assert function(p, american).tolist() == [function(one, odds) for odds, one in pairs]


@given(AMERICAN)
def test_arithmetic_of_one_price_is_that_of_an_array(odds: float) -> None:
    array = np.array([odds])
    assert [american_to_decimal(odds)] == american_to_decimal(array).tolist()
    assert [implied_probability(odds)] == implied_probability(array).tolist()

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pikkit.bets.market import MarginMethod, fair_market, fair_markets, own_market, own_markets, without_margin
from pikkit.bets.names import fold
from pikkit.bets.odds import decimal_to_american

METHODS: list[MarginMethod] = ["power", "multiplicative", "shin"]
# Chances of 2 to 8 sides, and the margin that a bookmaker puts on them.
MARKETS = st.tuples(st.lists(st.floats(0.02, 1), min_size=2, max_size=8), st.floats(1.0, 1.25)).map(
    lambda drawn: np.minimum(np.array(drawn[0]) / sum(drawn[0]) * drawn[1], 0.99)
)


def together(selection: str, line: float | None, *sides: tuple[str, float | None]) -> tuple[int, ...]:
    return own_market(fold(selection), line, [fold(name) for name, _ in sides], [at for _, at in sides])


LINES = st.sampled_from([None, None, 0.0, 1.5, -1.5])
SIDES = st.lists(st.tuples(st.sampled_from("abcd"), LINES), min_size=2, max_size=5) | st.lists(
    st.tuples(st.sampled_from("abc"), st.none()), min_size=2, max_size=3
)


@example([("a", 0.0, [("a", None), ("b", 1.5)])])
@given(st.lists(st.tuples(st.sampled_from("abcd"), LINES, SIDES), max_size=5))
def test_own_markets_are_found_together_as_each_is_alone(
    bets: list[tuple[str, float | None, list[tuple[str, float | None]]]],
) -> None:
    sides = [side for *_, market in bets for side in market]
    asked = [(name, line, len(market)) for name, line, market in bets]
    found = own_markets(asked, [name for name, _ in sides], [at for _, at in sides])
    assert found == [together(name, line, *market) for name, line, market in bets]


@given(MARKETS, st.sampled_from(METHODS))
def test_chances_without_margin_add_up_to_1_and_keep_their_order(implied: np.ndarray, method: MarginMethod) -> None:
    fair = np.array(without_margin(implied.tolist(), method))
    assert fair.sum() == pytest.approx(1)
    assert ((fair > 0) & (fair < 1)).all()
    order = np.argsort(implied, kind="stable")
    assert (np.diff(fair[order]) >= -1e-12).all()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the package has no wheel there")
@given(MARKETS.filter(lambda implied: implied.sum() >= 1.001))
def test_shin_is_what_a_published_implementation_gives(implied: np.ndarray) -> None:
    import shin  # noqa: PLC0415 - not on every Python

    # At a low vig its iteration has not arrived after the thousand steps that it takes by itself.
    theirs = np.array(
        shin.calculate_implied_probabilities(
            (1 / implied).tolist(), max_iterations=100_000, convergence_threshold=1e-14
        )
    )
    np.testing.assert_allclose(without_margin(implied.tolist(), "shin"), theirs / theirs.sum(), atol=1e-6)


@given(MARKETS.filter(lambda implied: implied.sum() >= 1.001))
def test_power_and_shin_take_more_from_longshots_than_a_share(implied: np.ndarray) -> None:
    share, power, by_shin = (without_margin(implied.tolist(), m) for m in ("multiplicative", "power", "shin"))
    longest = int(np.argmin(implied))
    assert power[longest] <= share[longest] + 1e-9
    assert by_shin[longest] <= share[longest] + 1e-9


def test_power_is_one_exponent_for_all_sides() -> None:
    implied = [0.6, 0.3, 0.2]
    exponents = np.log(without_margin(implied)) / np.log(implied)
    np.testing.assert_allclose(exponents, exponents[0])


@given(st.lists(MARKETS, min_size=1, max_size=20), st.sampled_from(METHODS))
def test_markets_say_together_what_each_says_by_itself(implied: list[np.ndarray], method: MarginMethod) -> None:
    prices = np.asarray(decimal_to_american(1 / np.array([market[:2] for market in implied])))
    found = fair_markets(prices, method)
    for market, total, chances in zip(prices.tolist(), found.total, found.chances, strict=True):
        alone = fair_market(tuple(market), method)
        assert alone.total == pytest.approx(total)
        assert list(alone.chances) == pytest.approx(chances[~np.isnan(chances)].tolist(), abs=1e-12)


@pytest.mark.parametrize(
    ("total", "possible"), [(0.96, False), (0.971, True), (1.05, True), (1.599, True), (1.61, False)]
)
def test_what_can_be_one_market_adds_up_to_097_to_16(total: float, possible: bool) -> None:
    even = float(decimal_to_american(2 / total))
    market = fair_market((even, even))
    assert market.total == pytest.approx(total)
    assert list(market.chances) == ([0.5, 0.5] if possible else [])


@pytest.mark.parametrize(
    ("selection", "line", "sides", "found"),
    [
        ("MTL", None, [("BOS", None), ("MTL", None)], 1),
        (" mtl\u200b", None, [("BOS", None), ("MTL", None)], 1),
        ("MTL", -1.5, [("BOS", 1.5), ("MTL", -1.5)], 1),
        ("MTL", -1.5, [("BOS", 1.5), ("MTL", None)], 1),
        ("MTL", None, [("BOS", 1.5), ("MTL", -1.5)], 1),
        ("MTL", -1.5, [("BOS", 1.5), ("MTL", 1.5)], None),
        ("NYR", None, [("BOS", None), ("MTL", None)], None),
    ],
)
def test_a_side_is_found_by_selection_and_line(
    selection: str, line: float | None, sides: list[tuple[str, float | None]], found: int | None
) -> None:
    assert together(selection, line, *sides)[:1] == (() if found is None else (found,))


@pytest.mark.parametrize(
    ("line", "sides", "found"),
    [
        (None, [("H", None), ("D", None), ("A", None)], [0, 2, 1]),  # the others by their names
        (None, [("H", None), ("h ", None), ("A", None)], [0, 2]),
        (-3.5, [("H", -3.5), ("A", 3.5)], [0, 1]),
        (-3.5, [("H", -3.5), ("A", 4.0)], [0]),
        (9.5, [("Over", 9.5), ("Under", 9.5), ("Over", 10.0), ("Under", 10.0)], [0, 1]),
        (-1.5, [("H", -1.5), ("A", -1.5), ("A", 1.5), ("H", 1.5)], [0, 2]),
    ],
)
def test_sides_of_one_market_have_lines_that_fit(
    line: float | None, sides: list[tuple[str, float | None]], found: list[int]
) -> None:
    assert together("H" if sides[0][0] == "H" else "Over", line, *sides) == tuple(found)

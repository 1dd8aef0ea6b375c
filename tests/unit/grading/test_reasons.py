"""What is said of contributions, word by word."""

from typing import Any

import numpy as np
import pytest

from pikkit.features.table import FEATURES
from pikkit.grading.reasons import Contributions, reasons

NAMES = ("league_encoded", "sport_win_rate", "sport_count", "sport_edge")
COLUMNS = tuple(FEATURES[name] for name in NAMES)
ROW = [3.0, 0.512, 40.0, 0.021]


def said(win: Any = None, roi: Any = None, *, from_price: bool = False) -> list[list[str]]:
    rows = win if win is not None else roi
    arrays = [None if values is None else np.array(values, dtype=float) for values in (win, roi)]
    matrix = np.array([ROW] * (len(rows) if rows else 1), dtype=np.float32)
    return reasons(Contributions(arrays[0], arrays[1], from_price), matrix, COLUMNS)


def test_the_three_strongest_contributions_are_told_the_strongest_first_with_their_sign() -> None:
    # log-odds 0 with all: without the second feature 1, without the third -0.5, without the first 0.25
    assert said([[-0.25, -1.0, 0.5, 0.2, 0.55]]) == [
        [
            "the sport's past win rate of 51.2 % over 40 bets lowered the win probability by 23.1 points",
            "the sport's number of past bets of 40 raised the win probability by 12.2 points",
            "the league lowered the win probability by 6.2 points",
        ]
    ]


def test_the_expected_roi_is_told_in_percent_and_ties_stay_in_the_order_of_the_columns() -> None:
    assert said(roi=[[2.0, -2.0, 1.5, 0.0, 90.0]]) == [
        [
            "the league raised the expected ROI by 2.0 %",
            "the sport's past win rate of 51.2 % over 40 bets lowered the expected ROI by 2.0 %",
            "the sport's number of past bets of 40 raised the expected ROI by 1.5 %",
        ]
    ]


@pytest.mark.parametrize(("effect", "told"), [(0.05, 1), (-0.05, 1), (0.049, 0), (-0.049, 0), (0.0, 0)])
def test_what_would_be_told_as_nothing_is_not_told(effect: float, told: int) -> None:
    assert len(said(roi=[[effect, 0.0, 0.0, 0.0, 1.0]])[0]) == told


def test_where_the_price_is_the_base_it_is_told_first_and_the_return_not_a_second_time() -> None:
    even = np.log(0.4 / 0.6)
    assert said([[0.0] * 4 + [even]] * 2, [[9.0] * 4 + [1.0]] * 2, from_price=True) == [
        ["the price alone gives a win probability of 40.0 %"],
        ["the price alone gives a win probability of 40.0 %"],
    ]


def test_both_models_are_told_the_chance_first_each_row_for_itself() -> None:
    assert said([[0.0, 0.0, 0.4, 0.0, 0.0], [0.0] * 5], [[0.0] * 5, [0.0, 0.0, 0.0, -7.0, 2.0]]) == [
        ["the sport's number of past bets of 40 raised the win probability by 9.9 points"],
        ["the sport's past results, +2.1 points against their prices, lowered the expected ROI by 7.0 %"],
    ]
    assert said([[0.0, 0.0, 0.4, 0.0, 0.0]], [[0.0, 0.0, 0.0, -7.0, 2.0]])[0][1].endswith("the expected ROI by 7.0 %")


def test_without_contributions_nothing_is_told() -> None:
    assert said() == [[]]

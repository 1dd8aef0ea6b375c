from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pikkit.bets.bet import CATEGORICAL, Bet, BetColumns
from pikkit.features.table import FEATURES, FeatureSpec, build_matrix
from pikkit.grading.lookups import Combinations
from pikkit.history.history import History
from tests.support.settled import settled

HISTORY = History.from_bets(
    settled([{"league": f"League {i % 7}", "won": i % 3 == 0, "time": float(i)} for i in range(50)])
)
SPEC = FeatureSpec.from_metadata(
    {"features": list(FEATURES), "encoders": {**{name: ["x"] for name in CATEGORICAL}, "league": ["League 3", "None"]}}
)
NOW = 1e9


def bet(league: int) -> Bet:
    return Bet(sport="Basketball", league=f"League {league}", market="Moneyline", institution_name="X", odds=-110)


def check(combinations: Combinations, bets: list[Bet]) -> None:
    codes, unknown, past = combinations.columns(bets)
    columns = BetColumns.of(bets, NOW)
    known = HISTORY.lookup(columns)
    rows = build_matrix(columns, known, SPEC)
    np.testing.assert_array_equal(codes.astype(np.float32), rows.matrix[:, :5])
    np.testing.assert_array_equal(unknown, rows.unknown)
    np.testing.assert_array_equal(past.sums, known.sums)
    np.testing.assert_array_equal(past.recent, known.recent)
    assert (past.first_bet_at, past.empty) == (known.first_bet_at, known.empty)


def test_names_looked_up_once_and_again_are_what_they_are_alone() -> None:
    combinations = Combinations(SPEC, HISTORY)
    for _ in range(2):
        check(combinations, [bet(i % 9) for i in range(30)])


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_more_combinations_than_are_remembered_are_still_right(size: int) -> None:
    combinations = Combinations(SPEC, HISTORY)
    for start in range(0, 12_000, 3000):
        for first in range(start, start + 3000, size):
            if size > 1 or first % 50 == 0:
                combinations.columns([bet(i) for i in range(first, first + size)])
        check(combinations, [bet(i) for i in range(start, start + 40)] + [bet(3)])


def test_more_new_combinations_at_once_than_fit_into_the_table_are_right_too() -> None:
    combinations = Combinations(SPEC, HISTORY)
    check(combinations, [bet(i) for i in range(9000)])
    check(combinations, [bet(i) for i in range(5)])


def test_threads_share_one_table() -> None:
    combinations = Combinations(SPEC, HISTORY)
    with ThreadPoolExecutor(4) as pool:
        for done in [
            pool.submit(check, combinations, [bet((i * 31 + j) % 500) for j in range(200)]) for i in range(20)
        ]:
            done.result()

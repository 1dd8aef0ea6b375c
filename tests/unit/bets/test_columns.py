from datetime import UTC, datetime

import numpy as np

from tests.support.samples import a_bet
from tests.support.settled import columns_of

MOMENT = datetime(2026, 1, 31, 19, 30, tzinfo=UTC)
BETS = [a_bet(placed_at=MOMENT, clv_percentage=2.5), a_bet(sport="Tennis", is_live=True)]


def test_numbers_of_bets_are_those_of_each_in_their_order() -> None:
    numbers = columns_of(BETS, now=5.0).numbers
    assert np.asarray(numbers.placed_at).tolist() == [MOMENT.timestamp(), 5.0]
    assert np.asarray(numbers.is_live).tolist() == [False, True]
    assert np.asarray(numbers.clv).tolist() == [2.5, 0.0]
    assert np.asarray(numbers.has_clv).tolist() == [True, False]


def test_some_of_the_columns_are_the_bets_at_these_positions() -> None:
    columns = columns_of(BETS, now=5.0)
    second = columns.take(np.array([1]))
    assert len(second) == 1
    assert [values for _, values in second.categorical()] == [[values[1]] for _, values in columns.categorical()]
    assert second.is_live.tolist() == [True]

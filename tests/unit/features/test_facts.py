import gc
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.features.facts import Categories
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import FEATURES
from pikkit.history.history import History
from tests.support.settled import columns_of, settled

HISTORY = History.from_bets(
    settled([{"league": f"League {i % 7}", "won": i % 3 == 0, "time": float(i)} for i in range(50)])
)
SPEC = FeatureSpec.from_metadata(
    {"features": list(FEATURES), "encoders": {**{name: ["x"] for name in CATEGORICAL}, "league": ["League 3", "None"]}}
)
NOW = 1e9


def bet(league: int) -> Bet:
    return Bet(sport="Basketball", league=f"League {league}", market="Moneyline", institution_name="X", odds=-110)


def check(categories: Categories, bets: list[Bet]) -> None:
    facts = categories.many(bets, NOW)
    codes, unknown, past = facts.codes, facts.unknown, facts.past
    columns = columns_of(bets, NOW)
    expected = HISTORY.lookup(columns).past()
    rows = build_rows(columns, HISTORY.lookup(columns), SPEC)
    for i, name in enumerate(CATEGORICAL):
        np.testing.assert_array_equal(np.asarray(codes[name]).astype(np.float32), rows.matrix[:, i])
        np.testing.assert_array_equal(unknown.get(name, np.zeros(len(bets))), rows.unknown[name])
    for group, record in expected.records.items():
        np.testing.assert_array_equal(past.records[group], record)
    np.testing.assert_array_equal(past.recent_count, expected.recent_count)
    np.testing.assert_array_equal(past.recent_wins, expected.recent_wins)
    assert (past.first_bet_at, past.empty) == (expected.first_bet_at, expected.empty)
    one = categories.one(bets[0], NOW)
    assert [one.codes[name] for name in CATEGORICAL] == pytest.approx(
        [np.asarray(codes[name])[0] for name in CATEGORICAL], nan_ok=True
    )
    assert one.unknown == {name: True for name, flags in unknown.items() if np.asarray(flags)[0]}
    assert one.past.records["sport"] == tuple(np.asarray(column)[0] for column in past.records["sport"])


def test_names_looked_up_once_and_again_are_what_they_are_alone() -> None:
    categories = Categories(SPEC.encoders, HISTORY)
    for _ in range(2):
        check(categories, [bet(i % 9) for i in range(30)])


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_more_categories_than_are_remembered_are_still_right(size: int) -> None:
    categories = Categories(SPEC.encoders, HISTORY)
    for start in range(0, 12_000, 3000):
        for first in range(start, start + 3000, size):
            if size > 1 or first % 50 == 0:
                categories.many([bet(i) for i in range(first, first + size)], NOW)
        check(categories, [bet(i) for i in range(start, start + 40)] + [bet(3)])


def test_more_new_categories_at_once_than_fit_into_the_table_are_right_too() -> None:
    categories = Categories(SPEC.encoders, HISTORY)
    check(categories, [bet(i) for i in range(9000)])
    check(categories, [bet(i) for i in range(5)])


def test_threads_share_one_table() -> None:
    categories = Categories(SPEC.encoders, HISTORY)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(check, categories, [bet((i * 31 + j) % 500) for j in range(200)]) for i in range(20)]:
            done.result()


def test_names_never_seen_before_fill_no_more_than_12_mib() -> None:
    categories = Categories(SPEC.encoders, HISTORY)
    unseen = [bet(0).model_copy(update=dict.fromkeys(CATEGORICAL, f"Name {i}")) for i in range(5000)]
    tracemalloc.start()
    try:
        for one in unseen:
            categories.one(one, NOW)
        assert tracemalloc.get_traced_memory()[0] < 12 * 2**20
    finally:
        tracemalloc.stop()


def test_a_set_that_serves_no_more_is_freed_at_once_and_not_by_the_garbage_collector() -> None:
    """A collection may be hours away: what a request makes dies before."""
    encoders = {name: ["x"] for name in CATEGORICAL}
    spec = FeatureSpec.from_metadata({"features": list(FEATURES), "encoders": encoders})
    categories = Categories(spec.encoders, HISTORY)
    bets = [bet(1), bet(2)]
    gc.disable()
    try:
        categories.many(bets, NOW)
        categories.one(bets[0], NOW)
        living: list[weakref.ref[object]] = [weakref.ref(categories), weakref.ref(spec.encoders["sport"])]
        del categories, spec
        assert [one() for one in living] == [None, None]
    finally:
        gc.enable()

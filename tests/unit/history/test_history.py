import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.errors import ModelError
from pikkit.history.history import COUNT, GROUPS, RECENT, WINS, History, as_of
from tests.support.settled import rows_of, settled

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "sport": st.sampled_from(["Basketball", "basketball ", "Tennis"]),
            "league": st.sampled_from(["NBA", "ATP", ""]),
            "market": st.sampled_from(["Moneyline", "ML", "Spread"]),
            "institution_name": st.sampled_from(["FanDuel", "Fanduel Sportsbook", "BetMGM"]),
            "odds": st.sampled_from([-110.0, 100.0, 250.0]),
            "time": st.integers(0, 20).map(float),
            "won": st.booleans(),
        }
    ),
    max_size=40,
)
MARKET = list(GROUPS).index("sport_market")


def test_a_group_remembers_how_many_bets_won_and_what_they_returned() -> None:
    history = History.from_bets(settled([{"won": True, "odds": 150.0}, {}, {"sport": "Tennis", "won": True}]))
    past = history.lookup(settled([{}]).bets)
    assert past.sums[0, 0].tolist() == [2, 1, pytest.approx(0.9), 50.0]
    assert history.size == 3


def test_other_spellings_and_aliases_are_the_same_group() -> None:
    history = History.from_bets(settled([{"institution_name": "FanDuel", "market": "Moneyline"}]))
    past = history.lookup(settled([{"institution_name": " fanduel sportsbook", "market": "ML"}]).bets)
    assert past.sums[0, :, COUNT].tolist() == [1] * 5


def test_what_was_never_seen_counts_nothing() -> None:
    history = History.from_bets(settled([{}]))
    past = history.lookup(settled([{"sport": "Chess", "institution_name": "Nobody"}]).bets)
    assert not past.sums.any()
    assert not past.recent.any()
    assert not past.empty


def test_recent_results_are_the_last_ten_of_sport_and_market() -> None:
    history = History.from_bets(settled([{"won": i >= 5, "time": float(i)} for i in range(14)]))
    assert history.lookup(settled([{}]).bets).recent[0].tolist() == [RECENT, 9]


def test_a_bet_sees_strictly_earlier_bets_only() -> None:
    bets = settled([{"time": 1.0, "won": True}, {"time": 1.0, "won": True}, {"time": 2.0}, {"time": 0.5}])
    assert as_of(bets).sums[:, 0, COUNT].tolist() == [1, 1, 3, 0]
    assert as_of(bets).sums[:, 0, WINS].tolist() == [0, 0, 2, 0]


@given(ROWS)
def test_training_sees_for_each_bet_what_a_history_of_the_earlier_bets_would_serve(
    rows: list[dict[str, Any]],
) -> None:
    bets = settled(rows)
    trained = as_of(bets)
    for i in range(len(bets)):
        earlier = bets.bets.placed_at < bets.bets.placed_at[i]
        served = History.from_bets(rows_of(bets, earlier)).lookup(rows_of(bets, [i]).bets)
        np.testing.assert_allclose(trained.sums[i], served.sums[0], atol=1e-9)
        assert trained.recent[i].tolist() == served.recent[0].tolist()


@given(ROWS)
def test_json_gives_the_same_history_back(rows: list[dict[str, Any]]) -> None:
    bets = settled(rows)
    history = History.from_bets(bets)
    again = History.from_json(json.loads(json.dumps(history.to_json())))
    one, other = history.lookup(bets.bets), again.lookup(bets.bets)
    assert np.array_equal(one.sums, other.sums)
    assert np.array_equal(one.recent, other.recent)
    assert (again.size, again.last_bet_at == history.last_bet_at or not rows) == (len(rows), True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("groups"),
        lambda data: data.update(format=7),
        lambda data: data["groups"]["sport"].append(["x", 1, 2, 0.5, 0.0]),
        lambda data: data["groups"]["sport"].append(["x", 1, 0, float("nan"), 0.0]),
        lambda data: data["groups"]["sport_market"].append(["x", 1, 0, 0.5, 0.0]),
        lambda data: data["recent"].append(["a", "b", "2"]),
        lambda data: data.update(size="many"),
        lambda data: data.update(size=-5),
        lambda data: data.update(last_bet_at=1e300),
        lambda data: data.update(first_bet_at=-1e300),
        lambda data: data["groups"]["sport"].append(["x", 1e300, 0, 0.5, 0.0]),
        lambda data: data["groups"]["sport"].append(["x", 1, 0, -0.5, 0.0]),
        lambda data: data["groups"]["sport"].append(["x", 1, 0, 1.5, 0.0]),
        lambda data: data["groups"]["sport"].append(["x", 1, 0, 0.5, -1e300]),
    ],
)
def test_a_damaged_history_is_refused(damage: Any) -> None:
    data = History.from_bets(settled([{}, {"won": True}])).to_json()
    damage(data)
    with pytest.raises(ModelError, match="history"):
        History.from_json(data)


@pytest.mark.parametrize("data", [None, [], "x", {}])
def test_what_is_no_history_is_refused(data: object) -> None:
    with pytest.raises(ModelError, match="history"):
        History.from_json(data)


def test_some_rows_of_what_is_known_are_those_rows() -> None:
    bets = settled([{}, {"sport": "Tennis"}, {"market": "Spread", "won": True}])
    known = History.from_bets(bets).lookup(bets.bets)
    some = known.take(np.array([2, 0]))
    assert some.sums.tolist() == [known.sums[2].tolist(), known.sums[0].tolist()]
    assert some.recent.tolist() == [known.recent[2].tolist(), known.recent[0].tolist()]
    assert (some.first_bet_at, some.empty) == (known.first_bet_at, False)


def test_a_written_history_says_what_its_columns_are() -> None:
    written: Any = History.from_bets(settled([{"won": True, "odds": 150.0}])).to_json()
    assert written["columns"] == ["count", "wins", "implied_sum", "roi_sum_pct"]
    assert written["groups"]["sport"] == [["basketball", 1, 1, pytest.approx(0.4), 150.0]]
    assert (written["size"], written["recent"][0][-1]) == (1, "1")

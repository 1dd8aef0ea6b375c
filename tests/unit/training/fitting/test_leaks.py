from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pikkit.errors import ModelError
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import FEATURES
from pikkit.history.history import History, HistoryColumns, SettledBets, as_of
from training.fitting.leaks import leaking_features
from training.fitting.train import encoders_of, split_by_time, train
from training.settled.simulate import simulate

BETS = simulate(3000, seed=1)
SPEC = FeatureSpec.from_metadata({"features": list(FEATURES), "encoders": encoders_of(BETS.bets, 3000)})


def whole(bets: SettledBets) -> HistoryColumns:
    """The mistake to catch: the past of every bet is the history of all bets."""
    return History.from_bets(bets).lookup(bets.bets)


def own_result(bets: SettledBets) -> HistoryColumns:
    """A smaller mistake: each bet counts its own result."""
    past = as_of(bets)
    sums = past.sums.copy()
    sums[:, 0, 1] += bets.won
    return HistoryColumns(sums, past.recent, past.first_bet_at, past.empty)


def rows(past_of: Callable[[SettledBets], HistoryColumns]) -> Callable[[SettledBets], npt.NDArray[np.floating]]:
    return lambda bets: build_rows(bets.bets, past_of(bets), SPEC).matrix


def test_no_feature_knows_the_future() -> None:
    assert leaking_features(BETS, rows(as_of), SPEC.names) == []


@pytest.mark.parametrize(
    ("past_of", "caught"),
    [(whole, {"sport_win_rate", "sport_league_market_edge", "recent_win_rate"}), (own_result, {"sport_edge"})],
)
def test_a_planted_leak_is_caught_by_name(past_of: Callable[[SettledBets], HistoryColumns], caught: set[str]) -> None:
    found = set(leaking_features(BETS, rows(past_of), SPEC.names))
    assert caught <= found
    assert not found & {"implied_prob", "hour_of_day", "sport_encoded"}


def test_nothing_is_trained_on_a_leak() -> None:
    with pytest.raises(ModelError, match=r"sport_edge.*later"):
        train(BETS, past_of=whole)


def test_bets_of_one_moment_stay_on_one_side_of_a_cut() -> None:
    times = np.repeat(np.arange(30.0), 100)
    split = split_by_time(times)
    for cut in (split.calibration, split.test):
        assert times[cut - 1] < times[cut]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (np.arange(100.0), "at least"),
        (np.arange(3000.0)[::-1], "order"),
        (np.zeros(3000), "same time"),
    ],
)
def test_bets_that_can_not_be_split_by_time_are_refused(times: npt.NDArray[np.float64], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        split_by_time(times)


def test_a_category_that_only_later_bets_have_is_unknown() -> None:
    encoders = encoders_of(BETS.bets, 100)
    assert all(classes[0] == "Unknown" for classes in encoders.values())
    assert set(encoders["league"]) == {"Unknown", *BETS.bets.league[:100]}
    assert set(BETS.bets.league) - set(encoders["league"])

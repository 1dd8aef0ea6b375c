"""The real models, served with past results, against the same models served with constants in their place."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pikkit.exports.settled import read_settled
from pikkit.features.rows import build_rows
from pikkit.history.history import History, SettledBets
from pikkit.models.loading import load_set
from pikkit.models.model_set import ModelSet
from pikkit.models.reading.whole_set import write
from pikkit.models.user_files import take_copy, with_history
from tests.support.settled import rows_of

Floats = npt.NDArray[np.float64]

# What was sent to the models for the sixteen features of past results and time, whatever the bet.
CONSTANTS = {"win_rate": 0.5, "roi": 0.0, "count": 100.0}
FIRST_CONSTANT = "sport_win_rate"
CLOCK = {"day_of_week": 2.0, "hour_of_day": 12.0, "days_since_first_bet": 30.0}
RESAMPLES = 1000


@pytest.fixture(scope="module")
def bets(real_dir: Path) -> SettledBets:
    return read_settled(real_dir / "bets.csv.gz")[0]


@pytest.fixture(scope="module")
def later(bets: SettledBets) -> SettledBets:
    return rows_of(bets, slice(len(bets) * 4 // 5, None))


@pytest.fixture(scope="module")
def models(real_dir: Path, bets: SettledBets, tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    earlier = rows_of(bets, slice(0, len(bets) * 4 // 5))
    copy = take_copy(real_dir / "models", tmp_path_factory.mktemp("copy"))
    converted: Path = tmp_path_factory.mktemp("real") / "set"
    files = with_history(copy, History.from_bets(earlier).to_json())
    write(files.folder, converted, files.sha256)
    return load_set(converted)


def log_losses(models: ModelSet, matrix: npt.NDArray[np.floating], won: npt.NDArray[np.bool_]) -> Floats:
    p = models.win_probability(matrix)
    return np.asarray(-np.log(np.where(won, p, 1 - p)))


def with_constants(models: ModelSet, matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    matrix = matrix.copy()
    for i, name in enumerate(models.spec.names):
        value = CLOCK.get(name, next((value for end, value in CONSTANTS.items() if name.endswith(f"_{end}")), None))
        if value is not None:
            matrix[:, i] = value
    return matrix


def spread(better: Floats) -> tuple[float, float]:
    """95 % bootstrap interval of the mean."""
    random = np.random.default_rng(0)
    means = better[random.integers(0, len(better), (RESAMPLES, len(better)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def test_real_models_predict_better_with_past_results_than_with_constants(models: ModelSet, later: SettledBets) -> None:
    past = models.history.lookup(later.bets)
    rows = build_rows(later.bets, past, models.spec).matrix
    constant = with_constants(models, rows)
    first = models.spec.names.index(FIRST_CONSTANT)
    assert all(len(np.unique(constant[:, i])) == 1 for i in range(first, first + 16))

    served, before = (log_losses(models, matrix, later.won) for matrix in (rows, constant))
    low, _ = spread(before - served)
    assert served.mean() < before.mean()
    assert low > 0


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.9])
def test_wherever_the_bets_are_cut_past_results_do_no_harm_beyond_noise(
    models: ModelSet, bets: SettledBets, share: float
) -> None:
    cut = int(share * len(bets))
    history, after = History.from_bets(rows_of(bets, slice(0, cut))), rows_of(bets, slice(cut, None))
    rows = build_rows(after.bets, history.lookup(after.bets), models.spec).matrix
    served, before = (log_losses(models, matrix, after.won) for matrix in (rows, with_constants(models, rows)))
    assert spread(before - served)[1] > 0


def test_real_models_without_history_are_not_worse_than_with_constants_beyond_noise(
    models: ModelSet, later: SettledBets
) -> None:
    rows = build_rows(later.bets, History.empty().lookup(later.bets), models.spec).matrix
    served, before = (log_losses(models, matrix, later.won) for matrix in (rows, with_constants(models, rows)))
    assert spread(before - served)[1] > 0

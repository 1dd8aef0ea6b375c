import numpy as np
import pytest

from pikkit.errors import ModelError
from tests.support.settled import settled
from training.fitting.train import split_by_time, train
from training.settled.imports import imports_of

DAY = 86_400.0
BLOCKS = np.concatenate([start + np.arange(500.0) for start in (0.0, 5000.0, 20_000.0, 40_000.0, 60_000.0)])


def test_times_of_imports_are_seen_and_told() -> None:
    found = imports_of(BLOCKS)
    assert found is not None
    assert found.starts.tolist() == [0, 500, 1000, 1500, 2000]
    assert "all 2,500 bets lie within 17 h, in 5 blocks" in found.words(2500)


@pytest.mark.parametrize("times", [np.arange(2500) * DAY, BLOCKS[:900], np.linspace(0, 3 * DAY, 2500)])
def test_times_of_bets_are_not_taken_for_imports(times: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert imports_of(times) is None


def test_an_import_is_never_split() -> None:
    sizes = (700, 700, 500, 300, 300)  # 60 % and 80 % lie within the third and the fourth
    uneven = np.concatenate([10_000.0 * i + np.arange(float(size)) for i, size in enumerate(sizes)])
    split = split_by_time(uneven)
    assert (split.calibration, split.test, split.end) == (1400, 1900, 2500)


@pytest.mark.parametrize("won", [True, False])
def test_bets_of_one_result_are_refused_before_training(won: bool) -> None:
    bets = settled([{"won": won, "time": i * DAY} for i in range(2500)])
    with pytest.raises(ModelError, match="all 2,500 bets were"):
        train(bets)

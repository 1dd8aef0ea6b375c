"""Probes that notice what the structure of a tree would not tell."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pikkit.errors import UnsafePickle
from pikkit.models.reading.probes import check_canary
from tests.support.slow_import import Lazy, skops_io

ensemble: Any = Lazy("sklearn.ensemble")

K = 6
ENGINES = {"roi": {"type": "sklearn"}}


def forest() -> Any:
    rows = np.random.default_rng(0).random((80, K))
    return ensemble.RandomForestRegressor(2, max_depth=2, random_state=0, n_jobs=1).fit(rows, rows[:, 0])


@pytest.mark.parametrize("beyond", [K, K + 40, 40_000, 200_000])
def test_a_row_that_is_answered_in_several_ways_is_noticed(tmp_path: Path, beyond: int) -> None:
    model = forest()
    kind, arguments, state = model.estimators_[0].tree_.__reduce__()
    state["nodes"]["feature"][0] = beyond
    model.estimators_[0].tree_ = kind(10**6, *arguments[1:])
    model.estimators_[0].tree_.__setstate__(state)
    skops_io().dump(model, tmp_path / "roi.skops")
    with pytest.raises(UnsafePickle, match="answers one row in 2 ways"):
        check_canary(tmp_path, ENGINES, np.zeros((1, K), dtype=np.float32))


def test_a_sound_forest_answers_one_row_in_one_way(tmp_path: Path) -> None:
    skops_io().dump(forest(), tmp_path / "roi.skops")
    check_canary(tmp_path, ENGINES, np.zeros((1, K), dtype=np.float32))

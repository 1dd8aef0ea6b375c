"""XGBoost's own boosters in a worker."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pikkit.models import boosters
from pikkit.models.boosters import Boosters
from tests.support.converted import converted
from tests.support.need import root

_WITHOUT_WRAPPERS = """
import sys
from pathlib import Path
from pikkit.models.boosters import load_booster, wrappers_wanted
booster = load_booster(Path(sys.argv[1]))
assert "sklearn" not in sys.modules
first = sys.modules["xgboost"]
wrappers_wanted()
import xgboost
import sklearn.base
assert xgboost is not first
assert isinstance(xgboost.XGBClassifier(), sklearn.base.BaseEstimator)
wrappers_wanted()
assert sys.modules["xgboost"] is xgboost
print(booster.num_boosted_rounds(), load_booster(Path(sys.argv[1])).num_boosted_rounds())
"""


def test_boosters_are_read_without_scikit_learn_and_its_wrappers_are_there_for_who_wants_them(tmp_path: Path) -> None:
    models = converted(root() / "models", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_WRAPPERS, models.folder / "win.ubj"],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, again = done.stdout.split()
    assert int(first) > 0
    assert first == again


def test_rows_seen_before_are_not_asked_again_and_are_told_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = converted(root() / "models", tmp_path)
    asked: list[int] = []

    class Counting(Boosters):
        def _ask(self, name: str, matrix: Any, base: Any) -> Any:
            asked.append(len(matrix))
            return super()._ask(name, matrix, base)

    found = Counting(models.folder, models.manifest["files"])
    rows = np.random.default_rng(1).random((6, len(models.spec.names))).astype(np.float32)
    rows[:, 0] = np.nan
    base = rows[:, 1].astype(np.float64)
    whole = found.added("win.ubj", rows, base)
    part = found.added("win.ubj", rows[[4, 1, 1]], base[[4, 1, 1]])
    assert whole is not None
    np.testing.assert_array_equal(part, whole[[4, 1, 1]])
    assert asked == [6]
    assert 0 < found.row_s < 1
    assert found.added("nothing.ubj", rows, base) is None
    monkeypatch.setattr(boosters, "_REMEMBERED", 7)
    more = rows + 1
    np.testing.assert_array_equal(found.added("win.ubj", more, base), found.added("win.ubj", more, base))
    np.testing.assert_array_equal(found.added("win.ubj", rows, base), whole)
    assert asked == [6, 6, 6]

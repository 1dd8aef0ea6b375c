"""XGBoost's own boosters: asked for scores where no graph can be made, and for what each feature added.

`import xgboost` also imports scikit-learn for its wrappers, where that is installed: a second and 46 MiB, for nothing
that a booster needs. So it is imported without both, as it puts up with, unless scikit-learn is there already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from pikkit.bets.numbers import Floats
from pikkit.features.table import Matrix
from pikkit.models.libraries import importing, library

__all__ = ["Boosters", "load_booster", "wrappers_wanted"]

_WRAPPED = "sklearn"
_WRAPPERS = (_WRAPPED, "xgboost.sklearn")  # the latter needs scipy.special, a fifth of the import
_ONE_THREAD: dict[str, Any] = {"nthread": 1}
_REMEMBERED = 6000  # rows of a model; 3 MiB with 26 features


def _xgboost() -> Any:
    with importing:
        bare = "xgboost" not in sys.modules and _WRAPPED not in sys.modules
        if bare:
            cast("dict[str, Any]", sys.modules).update(dict.fromkeys(_WRAPPERS))  # so that their imports fail
        try:
            return library("xgboost")
        finally:
            if bare:
                for name in _WRAPPERS:
                    del sys.modules[name]


def wrappers_wanted() -> None:
    """Have the next `import xgboost` come with its wrappers for scikit-learn, if the last one came without."""
    with importing:
        compat = sys.modules.get("xgboost.compat")
        if compat is not None and not compat.SKLEARN_INSTALLED:
            for name in [name for name in sys.modules if name.partition(".")[0] == "xgboost"]:
                del sys.modules[name]


def load_booster(path: Path) -> Any:
    """A booster from its native file, pinned to one thread."""
    booster = _xgboost().Booster(_ONE_THREAD)
    booster.load_model(path)
    booster.set_param(_ONE_THREAD)
    return booster


class Boosters:
    """Those of one model set by the names of their files, loaded when they are first asked. Threads may share it."""

    def __init__(self, folder: Path, files: Mapping[str, Any]) -> None:
        self._folder = folder
        self._files = files
        self._loaded: dict[str, Any] = {}
        self._added: dict[str, dict[bytes, bytes]] = {}  # float64; arrays would take three times the room
        self._row_s: dict[str, float] = {}

    @property
    def row_s(self) -> float:
        """Seconds that a row takes all boosters that were asked yet, at their best; 0 where there are none."""
        return sum(self._row_s.values())

    def added(self, name: str, matrix: Matrix, base: Floats | None) -> Floats | None:
        """SHAP values of XGBoost's own (`pred_contribs`), shape (n, k + 1); None where the set has no such booster.

        They take as long as ten predictions. Who asks again within a minute asks about the same rows, so those are
        remembered.

        Args:
            name: of its file.
            matrix: feature rows, shape (n, k).
            base: where each row's margin starts, shape (n,), which follows from the row; None: at the model's own base.
        """
        if name not in self._files:
            return None
        known = self._added.setdefault(name, {})
        keys = [row.tobytes() for row in matrix]
        found = {key: known[key] for key in keys if key in known}
        new = [i for i, key in enumerate(keys) if key not in found]
        if new:
            if len(known) + len(new) > _REMEMBERED:
                known.clear()
            told = self._ask(name, matrix[new], None if base is None else base[new])
            added = dict(zip([keys[i] for i in new], [row.tobytes() for row in told], strict=True))
            found |= added
            known |= added
        return np.frombuffer(b"".join([found[key] for key in keys])).reshape(len(keys), -1)

    def _ask(self, name: str, matrix: Matrix, base: Floats | None) -> Floats:
        if name not in self._loaded:
            self._loaded[name] = load_booster(self._folder / name)
        begin = time.perf_counter()
        rows = _xgboost().DMatrix(matrix, base_margin=base, nthread=1)
        told = np.asarray(self._loaded[name].predict(rows, pred_contribs=True), dtype=np.float64)
        row_s = (time.perf_counter() - begin) / len(matrix)
        self._row_s[name] = min(row_s, self._row_s.get(name, row_s))
        return told

"""What an imported model predicts is what the user's own predicts, whatever it is made of."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pikkit.models.model_set import ModelSet
from pikkit.models.reading.probes import TOLERANCE
from pikkit.models.user_files import ROI_FILE, WIN_FILE
from tests.support.converted import converted
from tests.support.model_files import FEATURES, KNOWING, train, write_set
from tests.support.need import root
from tests.support.slow_import import Lazy

xgboost: Any = Lazy("xgboost")
ensemble: Any = Lazy("sklearn.ensemble")
impute: Any = Lazy("sklearn.impute")
linear_model: Any = Lazy("sklearn.linear_model")
pipeline: Any = Lazy("sklearn.pipeline")
preprocessing: Any = Lazy("sklearn.preprocessing")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_real_models_are_imported_and_predict_as_before(real_dir: Path, tmp_path: Path) -> None:
    models = converted(real_dir / "models", tmp_path)
    win = pickle.loads((real_dir / "models" / WIN_FILE).read_bytes())
    roi = pickle.loads((real_dir / "models" / ROI_FILE).read_bytes())
    random = np.random.default_rng(3)
    rows = (random.normal(size=(500, 26)) * random.choice([1, 10, 100], 26)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    np.testing.assert_allclose(models.win_probability(rows), win.predict_proba(rows)[:, 1], atol=TOLERANCE)
    none = np.zeros(500)
    np.testing.assert_allclose(models.roi(rows, none, none), roi.predict(rows), rtol=TOLERANCE, atol=TOLERANCE)
    assert models.manifest["engines"]["win"]["rounds"] == 50  # best_iteration 49 of 70
    assert models.manifest["engines"]["roi"]["rounds"] == 2
    assert models.version == "20251222_131123"


def test_explanations_add_up_to_the_predictions(tmp_path: Path) -> None:
    _explained(converted(root() / "models", tmp_path))


def test_explanations_of_real_models_add_up_to_the_predictions(real_dir: Path, tmp_path: Path) -> None:
    _explained(converted(real_dir / "models", tmp_path))


def _explained(models: ModelSet) -> None:
    k = len(models.spec.names)
    rows = np.random.default_rng(1).random((50, k)).astype(np.float32)
    odds = np.full(50, 100.0)
    if "implied_prob" in models.spec.names:
        implied = np.linspace(0.1, 0.9, 50)
        rows[:, models.spec.names.index("implied_prob")] = implied
        odds = np.where(implied <= 0.5, 100 * (1 / implied - 1), -100 / (1 / implied - 1))
    p = models.win_probability(rows)
    found = models.contributions(rows)
    assert found.win is not None
    assert found.roi is not None
    np.testing.assert_allclose(found.win.sum(axis=1), np.log(p / (1 - p)), atol=1e-4)
    np.testing.assert_allclose(found.roi.sum(axis=1), models.roi(rows, p, odds), atol=1e-3)


def test_plain_scikit_learn_estimators_stay_what_they_are(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1", encoders=KNOWING)
    random = np.random.default_rng(0)
    rows, won = random.random((200, len(FEATURES))), random.random(200) > 0.5
    win, roi = (
        linear_model.LogisticRegression().fit(rows, won),
        linear_model.LinearRegression().fit(rows, random.normal(size=200)),
    )
    (folder / WIN_FILE).write_bytes(pickle.dumps(win))
    (folder / ROI_FILE).write_bytes(pickle.dumps(roi))
    models = converted(folder, tmp_path / "work")
    assert models.manifest["engines"]["win"]["type"] == "sklearn"
    some = rows[:20].astype(np.float32)
    none = np.zeros(20)
    np.testing.assert_allclose(models.win_probability(some), win.predict_proba(some)[:, 1], atol=TOLERANCE)
    np.testing.assert_allclose(models.roi(some, none, none), roi.predict(some), rtol=TOLERANCE)
    assert models.contributions(some).win is None


def test_boosters_without_their_wrapper_and_callbacks_are_accepted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1", accuracy=float("nan"))
    random = np.random.default_rng(0)
    rows = random.random((200, len(FEATURES))).astype(np.float32)
    won = (rows[:, 0] > random.random(200)).astype(int)
    stop = xgboost.callback.EarlyStopping(rounds=2)
    win = xgboost.XGBClassifier(n_estimators=40, max_depth=2, callbacks=[stop], n_jobs=1)
    win.fit(rows, won, eval_set=[(rows[::3], 1 - won[::3])], verbose=False)
    _, roi = train(1)
    (folder / WIN_FILE).write_bytes(pickle.dumps(win))
    (folder / ROI_FILE).write_bytes(pickle.dumps(roi.get_booster()))
    models = converted(folder, tmp_path / "work")
    none = np.zeros(200)
    np.testing.assert_allclose(models.win_probability(rows), win.predict_proba(rows)[:, 1], atol=TOLERANCE)
    np.testing.assert_allclose(models.roi(rows, none, none), roi.predict(rows), rtol=TOLERANCE, atol=TOLERANCE)
    assert models.manifest["engines"]["win"]["rounds"] < models.manifest["engines"]["win"]["rounds_pickled"]
    assert models.metadata["accuracy"] is None
    (folder / WIN_FILE).write_bytes(pickle.dumps(win.get_booster()))
    bare = converted(folder, tmp_path / "bare")
    np.testing.assert_allclose(bare.win_probability(rows), win.predict_proba(rows)[:, 1], atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["dart", "forest in a pipeline"])
def test_what_has_no_graph_is_served_by_its_own_library(tmp_path: Path, kind: str) -> None:
    folder = write_set(tmp_path / "set", "1", encoders=KNOWING)
    random = np.random.default_rng(0)
    rows = random.random((200, len(FEATURES))).astype(np.float32)
    won = (rows[:, 0] > random.random(200)).astype(int)
    win = (
        xgboost.XGBClassifier(booster="dart", n_estimators=10, rate_drop=0.3, n_jobs=1)
        if kind == "dart"
        else pipeline.make_pipeline(
            impute.SimpleImputer(), preprocessing.StandardScaler(), ensemble.RandomForestClassifier(10, random_state=0)
        )
    )
    (folder / WIN_FILE).write_bytes(pickle.dumps(win.fit(rows, won)))
    roi = ensemble.ExtraTreesRegressor(5, random_state=0).fit(rows, random.normal(size=200))
    (folder / ROI_FILE).write_bytes(pickle.dumps(roi))
    models = converted(folder, tmp_path / "work")
    none = np.zeros(200)
    assert models.manifest["engines"]["win"]["type"] == ("xgboost" if kind == "dart" else "sklearn")
    np.testing.assert_allclose(models.win_probability(rows), win.predict_proba(rows)[:, 1], atol=TOLERANCE)
    np.testing.assert_allclose(models.roi(rows, none, none), roi.predict(rows), rtol=TOLERANCE, atol=TOLERANCE)

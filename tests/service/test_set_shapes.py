"""Sets in the shapes that people save them in: read as what they are, or refused by what they are."""

import copyreg
import gzip
import io
import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backports import zstd

from pikkit.bets.reading import read_bet
from pikkit.errors import ModelError
from pikkit.grading.predictor import Predictor
from pikkit.models.reading.probes import TOLERANCE
from pikkit.models.user_files import ROI_FILE, WIN_FILE
from tests.support.converted import converted
from tests.support.model_files import FEATURES, KNOWING, train, write_set
from tests.support.need import root
from tests.support.slow_import import Lazy

joblib: Any = Lazy("joblib")
xgboost: Any = Lazy("xgboost")
calibration: Any = Lazy("sklearn.calibration")
compose: Any = Lazy("sklearn.compose")
ensemble: Any = Lazy("sklearn.ensemble")
linear_model: Any = Lazy("sklearn.linear_model")
metrics: Any = Lazy("sklearn.metrics")
model_selection: Any = Lazy("sklearn.model_selection")
pipeline: Any = Lazy("sklearn.pipeline")
preprocessing: Any = Lazy("sklearn.preprocessing")

ROWS = np.random.default_rng(0).random((200, len(FEATURES))).astype(np.float32)
WON = (ROWS[:, 2] > np.random.default_rng(1).random(200)).astype(int)


def joblib_bytes(model: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    joblib.dump(model, out, **options)
    return out.getvalue()


def win_model() -> Any:
    return xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1).fit(ROWS, WON)


def forest() -> Any:
    return ensemble.RandomForestClassifier(2, max_depth=3, random_state=0, n_jobs=-1).fit(ROWS, WON)


def calibrated(method: str, base: Callable[[], Any]) -> Any:
    return calibration.CalibratedClassifierCV(base(), method=method, cv=2).fit(ROWS, WON)


def raw(kind: str) -> Callable[[Any], bytes]:
    return lambda model: bytes(model.get_booster().save_raw(kind))


Saved = Callable[[Any], bytes]
ACCEPTED: dict[str, tuple[Callable[[], Any], Saved, str]] = {
    "XGBoost's UBJSON": (win_model, raw("ubj"), ".ubj"),
    "XGBoost's JSON": (win_model, raw("json"), ".json"),
    "a dict of model and names": (
        win_model,
        lambda model: pickle.dumps({"model": model, "feature_names": FEATURES, "threshold": 0.5}),
        ".pkl",
    ),
    "a dict with names of something else": (
        win_model,
        lambda model: pickle.dumps({"model": model, "classes": ["lost", "won"], "trained by": np.array(["me"])}),
        ".pkl",
    ),
    "a pickle in gzip": (win_model, lambda model: gzip.compress(pickle.dumps(model)), ".pkl.gz"),
    "a pickle in zstd": (win_model, lambda model: zstd.compress(pickle.dumps(model)), ".pkl.zst"),
    "XGBoost by joblib, in lzma": (win_model, lambda model: joblib_bytes(model, compress=("lzma", 3)), ".joblib"),
    "XGBoost by joblib": (win_model, joblib_bytes, ".joblib"),
    "XGBoost by joblib, compressed": (win_model, lambda model: joblib_bytes(model, compress=3), ".joblib"),
    "a forest by joblib": (forest, joblib_bytes, ".joblib"),
    "a forest by joblib, in gzip": (forest, lambda model: joblib_bytes(model, compress=("gzip", 3)), ".pkl"),
    "a pipeline by joblib": (
        lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()).fit(
            ROWS, WON
        ),
        joblib_bytes,
        ".pkl",
    ),
    **{
        f"{method} calibration around {name}": (
            partial(calibrated, method, base),
            pickle.dumps,
            ".pkl",
        )
        for method in ("sigmoid", "isotonic")
        for name, base in (
            ("XGBoost", lambda: xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)),
            ("a forest", lambda: ensemble.RandomForestClassifier(2, max_depth=3, random_state=0)),
        )
    },
}


@pytest.mark.parametrize("shape", ACCEPTED)
def test_a_set_in_this_shape_predicts_as_its_model_does(tmp_path: Path, shape: str) -> None:
    make, save, ending = ACCEPTED[shape]
    folder = write_set(tmp_path / "set", "1", encoders=KNOWING)
    model = make()
    (folder / WIN_FILE).unlink()
    (folder / WIN_FILE.replace(".pkl", ending)).write_bytes(save(model))
    models = converted(folder, tmp_path / "work")
    np.testing.assert_allclose(models.win_probability(ROWS), model.predict_proba(ROWS)[:, 1], atol=TOLERANCE)


def behind_a_scaler() -> Any:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), xgboost.XGBClassifier(n_estimators=20, n_jobs=1))


@pytest.mark.parametrize("form", ["alone", "calibrated"])
def test_trees_behind_a_scaler_answer_bets_as_the_rows_that_they_were_trained_on(tmp_path: Path, form: str) -> None:
    asked: list[dict[str, Any]] = [
        {"sport": sport, "market": market, "institution_name": "FanDuel", "odds": odds, "is_live": live}
        for sport in ("Basketball", "Tennis")
        for market in ("Moneyline", "Spread")
        for odds in (-350, -200, -135, -110, -105, 120, 150, 240, 600)
        for live in (False, True)
    ]
    codes = {name: KNOWING[name].index for name in ("sport", "market")}
    implied = [1 / (1 + (odds / 100 if odds > 0 else -100 / odds)) for odds in (bet["odds"] for bet in asked)]
    rows = np.array(  # as FEATURES has them, without past results
        [
            [codes["sport"](bet["sport"]), codes["market"](bet["market"]), chance, bet["is_live"], chance, 0]
            for bet, chance in zip(asked, implied, strict=True)
        ],
        dtype=np.float64,
    )
    random = np.random.default_rng(0)
    many = np.repeat(rows, 20, axis=0)
    won = (random.random(len(many)) < many[:, 2] * (0.8 + 0.4 * many[:, 0])).astype(int)
    model = behind_a_scaler() if form == "alone" else calibration.CalibratedClassifierCV(behind_a_scaler(), cv=2)
    model.fit(many, won)
    folder = write_set(tmp_path / "set", "1", encoders=KNOWING)
    (folder / WIN_FILE).write_bytes(pickle.dumps(model))
    models, predictor = converted(folder, tmp_path / "work"), Predictor()
    bets = [read_bet(bet) for bet in asked]
    expected = model.predict_proba(rows)[:, 1]
    together = [one["model_probability"] for one in predictor.predict(models, bets, 0.0)]
    alone = [predictor.predict(models, [bet], 0.0)[0]["model_probability"] for bet in bets]
    assert alone == together == pytest.approx(expected.tolist(), abs=TOLERANCE)


def test_a_regressor_that_was_trained_on_a_column_is_served(tmp_path: Path) -> None:
    returns = (30 * ROWS[:, 2] - 20)[:, None]
    folder = write_set(tmp_path / "set", "1", encoders=KNOWING)
    (folder / ROI_FILE).write_bytes(pickle.dumps(linear_model.LinearRegression().fit(ROWS, returns)))
    models = converted(folder, tmp_path / "work")
    bet = {"sport": "Tennis", "market": "Spread", "institution_name": "FanDuel", "odds": 100}
    for bets in ([read_bet(bet)], [read_bet(bet)] * 9):
        found = Predictor().predict(models, bets, 0.0)[-1]
        assert found["expected_roi"] == pytest.approx(-5.0, abs=1e-4)
    two = np.column_stack([returns, returns])
    (folder / ROI_FILE).write_bytes(pickle.dumps(linear_model.LinearRegression().fit(ROWS, two)))
    with pytest.raises(ModelError, match="the roi model gives 2 values a bet: train it on one"):
        converted(folder, tmp_path / "again")


def test_a_file_of_another_ending_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1")
    (folder / WIN_FILE).rename((folder / WIN_FILE).with_suffix(".pickle"))
    with pytest.raises(ModelError, match=r"_latest\.pickle ends otherwise than in \.pkl, \.joblib"):
        converted(folder, tmp_path / "work")
    (folder / WIN_FILE).with_suffix(".pickle").unlink()
    with pytest.raises(ModelError, match=r"no win_probability_model_latest\.pkl: a set counts once it is complete$"):
        converted(folder, tmp_path / "again")


def softprob() -> Any:
    return xgboost.XGBClassifier(n_estimators=2, objective="multi:softprob", num_class=2, n_jobs=1).fit(ROWS, WON)


def measured() -> Any:
    return xgboost.XGBClassifier(n_estimators=2, eval_metric=metrics.f1_score, n_jobs=1).fit(ROWS, WON)


def transformed() -> Any:
    table = compose.ColumnTransformer([("all", preprocessing.StandardScaler(), list(range(len(FEATURES))))])
    return pipeline.make_pipeline(table, linear_model.LogisticRegression()).fit(ROWS, WON)


class Aged:
    """Pickles as a booster of XGBoost's that holds these bytes."""

    def __init__(self, handle: bytes) -> None:
        self.handle = bytearray(handle)

    def __reduce__(self) -> Any:
        return copyreg._reconstructor, (xgboost.Booster, object, None), {"handle": self.handle}  # type: ignore[attr-defined]


def _aged(handle: bytes) -> bytes:
    return pickle.dumps(Aged(handle))


def _linear(coef: float = 1.0, intercept: float = 0.0) -> Any:
    model = linear_model.LogisticRegression().fit(ROWS, WON)
    model.coef_[0, 0], model.intercept_[0] = coef, intercept
    return model


def _leaf(value: float) -> bytes:
    model = json.loads(raw("json")(win_model()))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["split_conditions"][tree["left_children"].index(-1)] = value
    return json.dumps(model).encode()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "LightGBM's text": (lambda: b"tree\nversion=v4\n", "is a LightGBM model: train it with XGBoost"),
    "LightGBM's pickle": (lambda: b"\x80\x02clightgbm.sklearn\nLGBMClassifier\n)\x81.", "it is a LightGBM model"),
    "CatBoost": (lambda: b"CBM1\x00\x00", "is a CatBoost model"),
    "a search": (
        lambda: pickle.dumps(
            model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [1]}, cv=2).fit(ROWS, WON)
        ),
        "search.best_estimator_",
    ),
    "a ColumnTransformer": (
        lambda: pickle.dumps(transformed()),
        "it is a ColumnTransformer: encode beforehand",
    ),
    "scikit-learn's boosting": (
        lambda: pickle.dumps(ensemble.GradientBoostingClassifier(n_estimators=2).fit(ROWS, WON)),
        "it is scikit-learn's gradient boosting",
    ),
    "softprob": (lambda: pickle.dumps(softprob()), "has objective multi:softprob: train it again with binary:logistic"),
    "zstd that is cut off": (lambda: zstd.compress(pickle.dumps(win_model()))[:-9], "cut off or damaged"),
    "LZ4": (lambda: b"\x04\x22\x4d\x18 rest", "compressed by LZ4: save the model with joblib"),
    "XGBoost 0.90": (lambda: _aged(b"\x00\x00\x00\x3f binary"), "with the XGBoost that made it, model.save_model"),
    "XGBoost 1.0, cut off": (lambda: _aged(b"CONFIG-offset:" + bytes(99)), "a booster that is cut off"),
    "a coefficient that overflows": (
        lambda: pickle.dumps(_linear(coef=1e30)),
        r"coefficient of 1e\+30, which overfl",
    ),
    "a coefficient that is no number": (lambda: pickle.dumps(_linear(coef=float("nan"))), "coefficient that is no num"),
    "an intercept that overflows": (
        lambda: pickle.dumps(
            pipeline.make_pipeline(preprocessing.StandardScaler().fit(ROWS), _linear(intercept=-1e12))
        ),
        r"coefficient of 1e\+12",
    ),
    "a leaf that overflows": (lambda: _leaf(1e38), r"leaf of 1e\+38, which overflows"),
    "a zip archive": (lambda: b"PK\x03\x04 rest", "is a zip archive"),
    "a Keras file": (lambda: b"\x89HDF rest", "HDF5"),
    "a pointer of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    "gzip that is cut off": (lambda: gzip.compress(pickle.dumps(win_model()))[:-9], "cut off or damaged"),
    "a pickle that is cut off": (lambda: pickle.dumps(win_model())[:-9], "pickle that is cut off"),
    "text": (lambda: b"hello", "is no pickle"),
    "two models in a dict": (lambda: pickle.dumps({"a": win_model(), "b": win_model()}), "of which 2 are models"),
    "a dict of other names": (
        lambda: pickle.dumps({"model": win_model(), "features": ["x", *FEATURES[1:]]}),
        "trained on column 'x'",
    ),
    "a dict with a scaler": (
        lambda: pickle.dumps({"model": win_model(), "scaler": preprocessing.StandardScaler().fit(ROWS)}),
        "StandardScaler beside the model.*make_pipeline",
    ),
    "a dict of names in another order": (
        lambda: pickle.dumps({"model": win_model(), "cols": [*FEATURES[1:], FEATURES[0]]}),
        "trained on column",
    ),
    "a regressor that is not swapped": (lambda: pickle.dumps(train(1)[1]), "holds a XGBRegressor, and a classifier"),
    "a classifier with a measure of its own": (lambda: pickle.dumps(measured()), "save_model"),
    "an array of objects by joblib": (
        lambda: joblib_bytes({"model": np.array([{}, None], dtype=object)}),
        "none of plain numbers|not on the list",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_is_not_served_is_refused_by_what_it_is(tmp_path: Path, shape: str) -> None:
    make, said = REFUSED[shape]
    folder = write_set(tmp_path / "set", "1")
    (folder / WIN_FILE).write_bytes(make())
    with pytest.raises(ModelError, match=said) as caught:
        converted(folder, tmp_path / "work")
    assert "swapped" not in caught.value.message
    assert "copy it again" not in caught.value.message or "cut off" in shape
    assert "pickle an XGBClassifier" not in caught.value.message or "XGB" not in shape


@pytest.mark.parametrize("version", ["1.0.2", "1.3.3"])
def test_pickles_of_old_xgboost_answer_what_they_answered_then(tmp_path: Path, version: str) -> None:
    kept = root() / "tests/support/old_xgboost"
    answers = json.loads((kept / "answers.json").read_text())
    folder = write_set(tmp_path / "set", "1")
    for file, name in ((WIN_FILE, "win"), (ROI_FILE, "roi")):
        (folder / file).write_bytes((kept / f"{name}-{version}.pkl").read_bytes())
    models = converted(folder, tmp_path / "work")
    rows, none = np.array(answers["rows"], dtype=np.float64).astype(np.float32), np.zeros(len(answers["rows"]))
    np.testing.assert_allclose(models.win_probability(rows), answers[version]["win"], atol=TOLERANCE)
    np.testing.assert_allclose(models.roi(rows, none, none), answers[version]["roi"], rtol=TOLERANCE, atol=TOLERANCE)
    assert models.manifest["engines"]["win"]["rounds"] == 7  # of 10: it stopped early


def test_models_that_are_swapped_are_told_so_whatever_their_shape(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1")
    win, roi = train(1)
    (folder / WIN_FILE).write_bytes(bytes(roi.get_booster().save_raw("ubj")))
    (folder / ROI_FILE).write_bytes(bytes(win.get_booster().save_raw("json")))
    with pytest.raises(ModelError, match="swapped"):
        converted(folder, tmp_path / "work")


def test_two_files_for_one_model_are_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1")
    (folder / WIN_FILE.replace(".pkl", ".ubj")).write_bytes(raw("ubj")(win_model()))
    with pytest.raises(ModelError, match="which one counts"):
        converted(folder, tmp_path / "work")


def test_a_timestamp_in_iso_becomes_a_version(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "2025-12-22T13:11:23Z")
    models = converted(folder, tmp_path / "work")
    assert models.version == "20251222_131123"
    assert json.loads((models.folder / "metadata.json").read_text())["timestamp"] == "20251222_131123"

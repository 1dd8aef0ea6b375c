"""`python -m pikkit.models.conversion COPY SET SHA256`: a copied user set to a checked, native one, in its own process.

It unpickles foreign files, so it runs with limits on memory and time, and its parent reads nothing of it but a line
of JSON: `{"ok": true}` or `{"error": message, "code": code}`. The parent's side is `convert`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pikkit.errors import ModelError, UnsafePickle
from pikkit.models.user_files import HISTORY_FILE, METADATA_FILE, ROI_FILE, WIN_FILE, UserFiles

__all__ = ["STORE_NAME", "convert"]

STORE_NAME = "pikkit_bet_models"
TOLERANCE = 1e-6  # by which a prediction may differ after the conversion: absolute, of percents relative above 1

_MEMORY_BYTES = 4 * 1024**3
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONUTF8")
_CPU_S = 120
_WALL_S = 180.0
_PROBES = 512
_MISSING_SHARE = 0.1

Matrix = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def convert(copy: UserFiles, into: Path) -> None:
    """Check the copied set and write it, converted, into the new folder `into`; there is all of it or nothing.

    Raises:
        UnsafePickle: a pickle asks for what is not allowed.
        ModelError: the set can't be served; the message says why.
    """
    # No secret of the service is in the environment of what reads foreign files.
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    command = [sys.executable, "-m", "pikkit.models.conversion", str(copy.folder), str(into), copy.sha256]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_WALL_S, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as cause:
        raise ModelError(f"the model files took over {_WALL_S:g} s to read: a model set takes seconds") from cause
    lines = done.stdout.splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if answer.get("ok"):
        return
    if "error" in answer:
        raise (UnsafePickle if answer["code"] == UnsafePickle.code else ModelError)(answer["error"])
    said = (done.stderr.strip() or "no message").splitlines()[-1][-300:]
    reason = "needed too much memory or time" if done.returncode < 0 else said
    raise ModelError(f"the model files could not be read (status {done.returncode}: {reason}): train them again")


def main(copy: Path, into: Path, source_sha256: str) -> None:
    """The child's side."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory runs out all the same, this process is to go, and no worker
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    answer: dict[str, Any] = {"ok": True}
    try:
        _write(copy, into, source_sha256)
    except ModelError as error:
        answer = {"error": error.message, "code": error.code}
    except MemoryError:
        answer = {
            "error": "the model files need more memory than models may: train them again",
            "code": "invalid_model",
        }
    except Exception as cause:  # noqa: BLE001 - a foreign model may raise anything when it is asked
        said = " ".join(str(cause).split())[:300]
        answer = {
            "error": f"the models can't be used ({type(cause).__name__}: {said}): train them again",
            "code": "invalid_model",
        }
    print(json.dumps(answer))  # noqa: T201 - the answer to the parent


def _write(copy: Path, into: Path, source_sha256: str) -> None:
    from pikkit.features.spec import FeatureSpec  # noqa: PLC0415
    from pikkit.history.history import History  # noqa: PLC0415
    from pikkit.models.loading import FORMAT, MANIFEST, file_sha256, load_engine, load_set  # noqa: PLC0415 - after the limits
    from pikkit.models.metadata import check_contract, read_json, read_metadata  # noqa: PLC0415

    metadata = read_metadata(copy / METADATA_FILE)
    spec = FeatureSpec.from_metadata(metadata)
    version = metadata["timestamp"]
    history = History.from_json(read_json(copy / HISTORY_FILE)) if (copy / HISTORY_FILE).is_file() else History.empty()
    check_contract(metadata, spec.names)
    models = {"win": _model(copy / WIN_FILE, spec.names), "roi": _model(copy / ROI_FILE, spec.names)}
    _check_missing(models, spec)
    into.mkdir()
    engines = {name: _save(model, into, name) for name, model in models.items()}
    (into / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    (into / "history.json").write_text(json.dumps(history.to_json()), encoding="utf-8")

    def write_manifest() -> None:
        manifest = {
            "format": FORMAT,
            "version": version,
            "tag": f"{STORE_NAME}:{version}",
            "source_sha256": source_sha256,
            "features": len(spec.names),
            "history_size": history.size,
            "starter": bool(metadata.get("starter", False)),
            "engines": engines,
            "files": {path.name: file_sha256(path) for path in sorted(into.iterdir()) if path.name != MANIFEST},
        }
        (into / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    write_manifest()
    probes = _probes(models, spec.names)
    for _ in range(2):
        off = _disagreeing(models, load_set(into), load_engine(into, "roi", engines["roi"]), probes)
        if not off:
            _check_canary(into, engines, probes)
            return
        for name in off:  # ONNX sums in another order; where that shows, XGBoost itself serves
            if engines[name]["type"] != "onnx":
                raise ModelError(f"the {name} model predicts otherwise after the import: report this set")
            engines[name] = {**engines[name], "type": "xgboost"}
            (into / f"{name}.onnx").unlink()
        write_manifest()
    raise ModelError("the models predict otherwise after the import: report this set")


def _check_missing(models: Mapping[str, Any], spec: Any) -> None:
    """Ask each model about a bet whose names it never saw, where their codes are missing values.

    Raises:
        ModelError: it takes none.
    """
    unknown = [column for column, encoder in spec.encoders.items() if not encoder.has_unknown]
    places = [spec.names.index(name) for name in (f"{column}_encoded" for column in unknown) if name in spec.names]
    row = np.full((1, len(spec.names)), 0.5, dtype=np.float32)
    row[:, places] = np.nan
    for name, model in models.items() if places else ():
        if hasattr(model, "get_booster"):
            continue  # takes them
        try:
            (_original_win(model, row, None) if name == "win" else _original_roi(model, row))
        except ValueError as cause:
            raise ModelError(
                f"the {name} model ({type(model).__name__}) takes no missing values, and the encoders of "
                f"{', '.join(unknown)} have no class for a name they never saw: add 'Unknown' to their classes and "
                "train with it, or put a SimpleImputer in front of the model"
            ) from cause


def _model(path: Path, names: tuple[str, ...]) -> Any:
    from pikkit.models.magnitudes import check_magnitudes  # noqa: PLC0415
    from pikkit.models.onnx_graph import objective_of  # noqa: PLC0415
    from pikkit.models.tree_bounds import check_estimator  # noqa: PLC0415

    is_win = path.name == WIN_FILE
    model = _loaded(path, names, classifier=is_win)
    kind = type(model).__name__
    is_classifier = hasattr(model, "predict_proba")
    if not hasattr(model, "predict_proba" if is_win else "predict") or is_classifier != is_win:
        raise ModelError(f"{path.name} holds a {kind}, and {_role(is_win)} belongs there{_swapped(path)}")
    try:
        given = int(model.n_features_in_)
        classes = int(getattr(model, "n_classes_", 2)) if is_classifier else 2
    except (AttributeError, TypeError, ValueError) as cause:
        raise ModelError(f"{path.name} holds a {kind} that was never fitted: train it first") from cause
    if hasattr(model, "get_booster") and objective_of(model.get_booster()).startswith("multi:"):
        raise ModelError(
            f"{path.name} has objective {objective_of(model.get_booster())}: train it again with binary:logistic"
        )
    check_estimator(path.name, model)
    check_magnitudes(path.name, model)
    if given != len(names):
        raise ModelError(f"{path.name} was trained on {given} features, the metadata names {len(names)}")
    if classes != 2:  # noqa: PLR2004 - won or not
        raise ModelError(f"{path.name} tells {classes} classes apart: a win model tells 2")
    own = getattr(model, "feature_names_in_", None)
    if own is not None and list(own) != list(names):
        _refuse_names(path.name, list(own), names)
    return model


def _loaded(path: Path, names: tuple[str, ...], *, classifier: bool) -> Any:
    """What the file holds, as an estimator."""
    from pikkit.models.contents import is_native, read_content  # noqa: PLC0415
    from pikkit.models.pickles import unpickle  # noqa: PLC0415

    data = read_content(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other versions; what matters is checked on probe rows
        model: Any = _native(path.name, data) if is_native(data) else unpickle(data, path.name)
    if isinstance(model, dict):
        model = _unwrapped(path.name, model, names)
    if type(model).__name__ == "Booster":  # saved without its wrapper
        model = _wrapped(path, model, classifier=classifier)
    if hasattr(model, "get_booster"):
        for name, default in vars(type(model)()).items():  # what wrappers of earlier versions did not have
            vars(model).setdefault(name, default)
    return model


def _native(file: str, data: bytes) -> Any:
    import xgboost  # noqa: PLC0415

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as cause:
        said = " ".join(str(cause).split())[:120]
        raise ModelError(f"{file} can't be read as XGBoost's own format ({said}): save the model again") from cause
    return booster


def _unwrapped(file: str, held: Mapping[Any, Any], names: tuple[str, ...]) -> Any:
    """The model in a dict that holds one, and perhaps the names of its features."""
    models = [value for value in held.values() if hasattr(value, "predict")]
    if len(models) != 1:
        raise ModelError(
            f"{file} holds a dict with {', '.join(map(repr, list(held)[:5])) or 'nothing'}, of which {len(models)} are "
            "models: put the one model there, alone or with the names of its features"
        )
    for value in held.values():
        listed = list(value) if isinstance(value, (list, tuple, np.ndarray)) else []
        if listed and all(isinstance(name, str) for name in listed) and listed != list(names):
            _refuse_names(file, listed, names)
    return models[0]


def _refuse_names(file: str, own: list[Any], names: tuple[str, ...]) -> None:
    if len(own) != len(names):
        raise ModelError(f"{file} was trained on {len(own)} features, the metadata names {len(names)}")
    different = next((a, b) for a, b in zip(own, names, strict=True) if a != b)
    raise ModelError(f"{file} was trained on column {different[0]!r} where the metadata says {different[1]!r}")


def _role(is_win: bool) -> str:
    return "a classifier (XGBClassifier)" if is_win else "a regressor (XGBRegressor)"


def _swapped(path: Path) -> str:
    """A question after the other file, where that holds what belongs here."""
    from pikkit.models.contents import is_native, read_content  # noqa: PLC0415
    from pikkit.models.pickles import unpickle  # noqa: PLC0415

    is_win = path.name == WIN_FILE
    other = path.with_name(ROI_FILE if is_win else WIN_FILE)
    try:
        data = read_content(other)
        held: Any = _native(other.name, data) if is_native(data) else unpickle(data, other.name)
    except ModelError:
        return ""
    classifies = hasattr(held, "predict_proba") or _tells_chances(held)
    fits = hasattr(held, "predict") and classifies == is_win
    return ": are the two files swapped?" if fits else ": train one"


def _tells_chances(held: Any) -> bool:
    from pikkit.models.onnx_graph import objective_of  # noqa: PLC0415

    return type(held).__name__ == "Booster" and objective_of(held) == "binary:logistic"


def _wrapped(path: Path, booster: Any, *, classifier: bool) -> Any:
    import xgboost  # noqa: PLC0415

    from pikkit.models.onnx_graph import objective_of  # noqa: PLC0415

    if classifier != _tells_chances(booster):
        objective = objective_of(booster)
        hint = _swapped(path)
        if classifier and objective.startswith("multi:"):
            hint = ": train it with objective binary:logistic"
        raise ModelError(f"{path.name} holds a booster of {objective}, and {_role(classifier)} belongs there{hint}")
    model = xgboost.XGBClassifier(n_jobs=1) if classifier else xgboost.XGBRegressor(n_jobs=1)
    model.load_model(bytearray(booster.save_raw("ubj")))
    return model


def _save(model: Any, into: Path, name: str) -> dict[str, Any]:
    from pikkit.models.onnx_graph import Untranslatable, base_margin, objective_of, to_onnx, trees_of  # noqa: PLC0415

    if not hasattr(model, "get_booster"):
        import skops.io  # noqa: PLC0415

        if hasattr(model, "n_jobs"):
            model.n_jobs = 1  # the workers are the parallelism
        skops.io.dump(model, into / f"{name}.skops")
        return {"type": "sklearn", "model": type(model).__name__}
    booster = model.get_booster()
    if getattr(model, "booster", None) == "gblinear" or not trees_of(booster):
        raise ModelError(f"the {name} model has no trees: train it with booster gbtree or dart")
    trees = booster.num_boosted_rounds()
    best = getattr(model, "best_iteration", None) if _stopped_early(booster) else None
    if best is not None:
        booster = booster[: int(best) + 1]  # what follows the best round was kept by the trainer, and never predicts
    booster.feature_names = booster.feature_types = None
    objective = objective_of(booster)
    if objective not in _MARGINS[name]:
        hint = "train it again with binary:logistic" if name == "win" else "train it again with one of them"
        raise ModelError(
            f"the {name} model has objective {objective}: served are {', '.join(sorted(_MARGINS[name]))}; {hint}"
        )
    booster.save_model(into / f"{name}.ubj")
    described = {
        "type": "xgboost",
        "model": type(model).__name__,
        "objective": objective,
        "rounds": booster.num_boosted_rounds(),
        "rounds_pickled": trees,
        "base": base_margin(booster),
    }
    try:
        (into / f"{name}.onnx").write_bytes(to_onnx(booster, booster.num_features()))
    except Untranslatable as reason:
        return {**described, "onnx": str(reason)}
    return {**described, "type": "onnx"}


# Objectives whose margin is log-odds or the value itself.
_MARGINS: Mapping[str, frozenset[str]] = {
    "win": frozenset({"binary:logistic"}),
    "roi": frozenset({"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"}),
}


def _stopped_early(booster: Any) -> bool:
    return booster.attr("best_iteration") is not None


def _probes(models: Mapping[str, Any], names: tuple[str, ...]) -> Matrix:
    """Rows around the models' own thresholds, a tenth of the values missing: every branch is a chance to differ."""
    from pikkit.models.onnx_graph import trees_of  # noqa: PLC0415

    random = np.random.default_rng(0)
    rows = np.empty((_PROBES, len(names)))
    thresholds: dict[int, list[float]] = {}
    for model in models.values():
        if hasattr(model, "get_booster"):
            for tree in trees_of(model.get_booster()):
                for column, value, left in zip(
                    tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
                ):
                    if left >= 0:
                        thresholds.setdefault(column, []).append(value)
    for column, name in enumerate(names):
        values = np.array(thresholds.get(column, [0.0, 1.0]))
        spread = max(float(np.ptp(values)), 1.0)
        rows[:, column] = (
            random.choice(values, _PROBES) + random.choice([0.0, 1e-3, -1e-3, 1.0, -1.0], _PROBES) * spread
        )
        if name == "implied_prob":
            rows[:, column] = random.uniform(0.01, 0.99, _PROBES)
    gaps = random.random(rows.shape) < _MISSING_SHARE
    if "implied_prob" in names:
        gaps[:, names.index("implied_prob")] = False  # a price always has one
    if not all(hasattr(model, "get_booster") for model in models.values()):
        gaps[:] = False  # most estimators of scikit-learn take no missing values
    rows[gaps] = np.nan
    return rows.astype(np.float32)


def _disagreeing(models: Mapping[str, Any], converted: Any, roi: Any, probes: Matrix) -> list[str]:
    """Which models predict otherwise than before.

    Raises:
        ModelError: a model predicts what is no number.
    """
    ones = np.ones(len(probes))
    base = converted._base(probes)  # noqa: SLF001 - the set's own prior
    before = {"win": _original_win(models["win"], probes, base), "roi": _original_roi(models["roi"], probes)}
    after = {"win": converted.win_probability(probes), "roi": roi.score(probes, None)}
    off = []
    for name, values in before.items():
        if not np.isfinite(values).all():
            raise ModelError(f"the {name} model predicts values that are no numbers: train it again")
        if not (np.abs(values - after[name]) <= TOLERANCE * np.maximum(ones, np.abs(values))).all():
            off.append(name)
    return off


def _check_canary(into: Path, engines: Mapping[str, Mapping[str, Any]], probes: Matrix) -> None:
    """Ask the same row again and again, while what lies around it in memory changes.

    Raises:
        ModelError: the answers differ, so something else than the row was read.
    """
    from pikkit.models.loading import load_engine  # noqa: PLC0415

    k = probes.shape[1]
    memory = np.zeros(2 * _AROUND + k, dtype=np.float32)
    row = memory[_AROUND : _AROUND + k].reshape(1, k)
    values = np.random.default_rng(1).normal(0, 1e3, _SAME_ROW)
    for name, described in engines.items():
        engine = load_engine(into, name, described)
        answers = set()
        for value in values:
            memory[:] = value
            row[0] = probes[0]
            for size in (k, 8 * k, 4096):  # what was freed last is what a library gets for its own copy of the row
                np.full(size, value, dtype=np.float32)
            answers.add(engine.score(row, None).item())
        if len(answers) > 1:
            raise UnsafePickle(f"the {name} model answers one row in {len(answers)} ways: it reads what is not its own")


_SAME_ROW = 300
_AROUND = 1 << 18  # values on either side: a megabyte


def _original_win(model: Any, probes: Matrix, base: Floats | None) -> Floats:
    given = {} if base is None else {"base_margin": base}
    return np.asarray(model.predict_proba(probes, **given)[:, 1], dtype=np.float64)


def _original_roi(model: Any, probes: Matrix) -> Floats:
    return np.asarray(model.predict(probes), dtype=np.float64)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

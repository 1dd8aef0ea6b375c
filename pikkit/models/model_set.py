"""One immutable model set: two models, metadata and history in a folder with a manifest of SHA-256 digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pikkit.bets.numbers import Numbers, sigmoid
from pikkit.bets.odds import expected_roi_pct
from pikkit.errors import ModelError
from pikkit.features.spec import FeatureSpec
from pikkit.grading.opinion import Opinion
from pikkit.grading.reasons import Contributions
from pikkit.history.history import History
from pikkit.models.engines import Engine, OnnxTrees, SklearnModel, XgboostTrees, load_booster

__all__ = ["MANIFEST", "ModelSet", "amend", "check_files", "file_sha256", "is_sound", "load_engine", "load_set"]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

MANIFEST = "manifest.json"
FORMAT = 1
_METADATA = "metadata.json"
_TINY = 1e-9


class ModelSet:
    """A loaded set; what the predictor asks, it answers by its two engines."""

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any],
        history: History,
        win: Engine,
        roi: Engine | None,
        source: str = "",
    ) -> None:
        self.folder = folder
        self.source = source
        self.manifest = manifest
        self.metadata = metadata
        self.history = history
        self.spec = FeatureSpec.from_metadata(metadata)
        self._win = win
        self._roi = roi
        self.opinion = Opinion.from_metadata(metadata)
        prior = metadata.get("prior")
        self._prior = (float(prior["intercept"]), float(prior["slope"])) if prior else None
        self._implied = self.spec.names.index("implied_prob") if prior else -1
        self._boosters: dict[str, Any] = {}

    @property
    def version(self) -> str:
        """Timestamp of the set, from its metadata."""
        return str(self.manifest["version"])

    @property
    def tag(self) -> str:
        """Name in the BentoML model store, where it was imported; else the same name without a store."""
        return str(self.manifest["tag"])

    @property
    def sha256(self) -> str:
        """Digest over the user's files."""
        return str(self.manifest["source_sha256"])

    @property
    def starter(self) -> bool:
        """Whether it was trained on simulated bets."""
        return bool(self.metadata.get("starter", False))

    @property
    def baseline(self) -> Mapping[str, Any] | None:
        """Distribution of the training data, for drift; None where the trainer wrote none."""
        found = self.metadata.get("baseline")
        return found if isinstance(found, dict) else None

    def win_probability(self, matrix: Matrix) -> Floats:
        """Probability to win (fraction) for each row."""
        return sigmoid(self._win.score(matrix, self._base(matrix)))

    def roi(self, matrix: Matrix, probability: Numbers, odds: Numbers) -> Numbers:
        """Expected ROI (percent) for each row; from probability and price where the set says so."""
        if self._roi is None:
            return expected_roi_pct(probability, odds)
        return cast("Numbers", _as_asked(self._roi.score(matrix, None), probability))

    def contributions(self, matrix: Matrix) -> Contributions:
        """SHAP values of XGBoost's own (`pred_contribs`); None for a model that has no trees of it.

        Where ROI follows from the probability, what the features add to it together, is shared out as they share in
        the log-odds, so that it adds up too.
        """
        win = self._contributed("win.ubj", matrix, self._base(matrix))
        if self._roi is not None:
            return Contributions(win, self._contributed("roi.ubj", matrix, None), self._prior is not None)
        if win is None or self._implied < 0:
            return Contributions(win, None)
        decimal = 1 / matrix[:, self._implied].astype(np.float64)
        base, total = sigmoid(win[:, -1]), sigmoid(win.sum(axis=1))
        added = win[:, :-1].sum(axis=1)
        slope = np.where(np.abs(added) > _TINY, (total - base) / np.where(added == 0, 1, added), base * (1 - base))
        roi = 100 * decimal[:, None] * np.column_stack([win[:, :-1] * slope[:, None], base - 1 / decimal])
        return Contributions(win, roi, from_price=True)

    def _base(self, matrix: Matrix) -> Floats | None:
        if self._prior is None:
            return None
        intercept, slope = self._prior
        implied = matrix[:, self._implied].astype(np.float64)
        return np.asarray(intercept + slope * np.log(implied / (1 - implied)))

    def _contributed(self, name: str, matrix: Matrix, base: Floats | None) -> Floats | None:
        if name not in self.manifest["files"]:
            return None
        import xgboost  # noqa: PLC0415 - only explanations need it

        if name not in self._boosters:
            self._boosters[name] = load_booster(self.folder / name)
        rows = xgboost.DMatrix(matrix, base_margin=base, nthread=1)
        return np.asarray(self._boosters[name].predict(rows, pred_contribs=True), dtype=np.float64)


def _as_asked(scores: Floats, asked: object) -> Any:
    """Plain numbers for who asks with plain numbers."""
    return scores.item() if isinstance(asked, float) else scores


def check_files(folder: Path) -> dict[str, Any]:
    """The manifest of the set in `folder`, whose files are those that it names.

    Raises:
        ModelError: a file is missing or not the one that was written, or the set is of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ModelError(f"{folder} is of format {manifest['format']!r}, not {FORMAT}: import the models again")
        for name, sha256 in manifest["files"].items():
            if file_sha256(folder / name) != sha256:
                raise ModelError(f"{folder / name} is not the file that was imported: import the models again")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise ModelError(f"{folder} holds no whole model set ({cause}): import the models again") from cause
    return manifest


def is_sound(folder: Path) -> bool:
    """Whether `folder` holds a whole set of today's format."""
    try:
        check_files(folder)
    except ModelError:
        return False
    return True


def load_set(folder: Path, *, tag: str | None = None, source: str = "") -> ModelSet:
    """Load the set that `pikkit.models.conversion` wrote into `folder`, checking every file against the manifest.

    Args:
        folder: the set's.
        tag: in the store, where it was imported.
        source: where a server has it from: import, MODEL_DIR or store.

    Raises:
        ModelError: a file is missing or not the one that was written.
    """
    manifest = check_files(folder)
    try:
        metadata = json.loads((folder / _METADATA).read_text(encoding="utf-8"))
        history = History.from_json(json.loads((folder / "history.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise ModelError(f"{folder} holds no whole model set ({cause}): import the models again") from cause
    return ModelSet(
        folder,
        {**manifest, "tag": tag or manifest["tag"]},
        metadata=metadata,
        history=history,
        win=load_engine(folder, "win", manifest["engines"]["win"]),
        roi=None if _derives_roi(metadata) else load_engine(folder, "roi", manifest["engines"]["roi"]),
        source=source,
    )


def amend(folder: Path, more: Mapping[str, Any]) -> None:
    """Add to the metadata of the converted set in `folder`, which nobody serves yet."""
    path, manifest_path = folder / _METADATA, folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **more}), encoding="utf-8")
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    manifest["files"][_METADATA] = file_sha256(path)
    manifest_path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _derives_roi(metadata: Mapping[str, Any]) -> bool:
    """Whether ROI follows from probability and price: the set's own ROI model is for readers without the rule."""
    roi = metadata.get("roi")
    return isinstance(roi, dict) and roi.get("type") == "from_probability"


def load_engine(folder: Path, name: str, described: Mapping[str, Any]) -> Engine:
    """The engine of one model, `win` or `roi`, as the manifest describes it.

    Raises:
        ModelError: it is of a type that is not known here.
    """
    match described["type"]:
        case "onnx":
            return OnnxTrees(folder / f"{name}.onnx", float(described["base"]))
        case "xgboost":
            return XgboostTrees(folder / f"{name}.ubj")
        case "sklearn":
            return SklearnModel(folder / f"{name}.skops", classifier=name == "win")
        case other:
            raise ModelError(f"{folder} asks for engine {other!r}, which is not known here: import the models again")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

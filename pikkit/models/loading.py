"""A model set in its folder: a manifest of SHA-256 digests, and the files that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pikkit.errors import ModelError
from pikkit.history.history import History
from pikkit.models.model_set import Engine, ModelSet, OnnxTrees, SklearnModel, XgboostTrees

__all__ = [
    "FORMAT",
    "MANIFEST",
    "amend",
    "check_files",
    "file_sha256",
    "folders_made_of",
    "is_sound",
    "load_engine",
    "load_set",
]

MANIFEST = "manifest.json"
FORMAT = 1
_METADATA = "metadata.json"


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


def folders_made_of(sha256: str, store: Path) -> Iterator[Path]:
    """The sets in the folders of `store` that were made of user files with this digest, as their manifests tell."""
    for path in sorted(store.glob(f"*/{MANIFEST}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(path.read_text(encoding="utf-8"))["source_sha256"] == sha256:
                yield path.parent


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

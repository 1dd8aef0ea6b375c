"""What the deploy module needs to know of a folder of model files: what it will serve as."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import UsageError
from deploy.files import read_json

__all__ = ["ModelFiles", "describe_models"]

_REQUIRED = (
    "win_probability_model_latest.pkl",
    "roi_prediction_model_latest.pkl",
    "model_metadata_latest.json",
)
_OPTIONAL = ("history_latest.json",)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`version` is the metadata's timestamp, as /health tells it; `digest` a SHA-256 over names and contents."""

    files: tuple[Path, ...]
    digest: str
    version: str


def describe_models(folder: Path) -> ModelFiles:
    """Look at the set in `folder`.

    Raises:
        UsageError: files are missing, or the metadata has no timestamp.
    """
    missing = [name for name in _REQUIRED if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{folder} has no {', '.join(missing)}: name a folder with a whole model set by --models")
    metadata = read_json(folder / "model_metadata_latest.json")
    version = metadata.get("timestamp") if isinstance(metadata, dict) else None
    if not version:
        raise UsageError(f"{folder}/model_metadata_latest.json has no timestamp: it names the model set")
    files = tuple(folder / name for name in (*_REQUIRED, *_OPTIONAL) if (folder / name).is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return ModelFiles(files, digest.hexdigest(), str(version))

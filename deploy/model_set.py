"""What the deploy module needs to know of a folder of model files: what it will serve as, and golden bets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.errors import UsageError
from deploy.release import Golden

__all__ = ["ModelFiles", "describe_models"]

_NAMES = (
    "win_probability_model_latest.pkl",
    "roi_prediction_model_latest.pkl",
    "model_metadata_latest.json",
    "history_latest.json",
)
_REQUIRED = 3


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`sha256` and `version` as the service tells them at /api/v1/model-info."""

    files: tuple[Path, ...]
    sha256: str
    version: str
    golden: tuple[Golden, ...]


def describe_models(folder: Path) -> ModelFiles:
    """Read and check the set in `folder`, the way the service will.

    Raises:
        UsageError: files are missing, or can't be used.
    """
    files = tuple(folder / name for name in _NAMES if (folder / name).is_file())
    missing = [name for name in _NAMES[:_REQUIRED] if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{folder} has no {', '.join(missing)}: name a folder with a whole model set by --models")
    return ModelFiles(files, "", "", ())

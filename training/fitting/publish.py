"""Writing a trained set: files of its version first, the `latest` ones once it was judged good, metadata last."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

from pikkit.files import replace_file
from pikkit.models.user_files import HISTORY_FILE, METADATA_FILE, ROI_FILE, WIN_FILE
from training.fitting.train import Trained

__all__ = ["promote", "write_version"]

_LATEST = "_latest"
_ORDER = (WIN_FILE, ROI_FILE, HISTORY_FILE, METADATA_FILE)  # whoever sees new metadata finds the rest written


def write_version(trained: Trained, folder: Path) -> dict[str, Path]:
    """Write the set under names with its timestamp; returns their paths by the names that readers look for."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        WIN_FILE: pickle.dumps(trained.win),
        ROI_FILE: pickle.dumps(trained.roi),
        HISTORY_FILE: json.dumps(trained.history.to_json()).encode(),
        METADATA_FILE: json.dumps(trained.metadata, indent=1).encode(),
    }
    version = str(trained.metadata["timestamp"])
    paths = {name: folder / name.replace(_LATEST, f"_{version}") for name in _ORDER}
    for name in _ORDER:
        replace_file(paths[name], contents[name], lasting=True)
    return paths


def promote(paths: dict[str, Path], folder: Path) -> None:
    """Make the written version the latest one."""
    for name in _ORDER:
        replace_file(folder / name, paths[name].read_bytes(), lasting=True)

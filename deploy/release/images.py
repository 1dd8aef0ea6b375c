"""Releases whose Bento is also an image in the engine, with their record and models kept beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.engine.client import Engine
from deploy.engine.replicas import IMAGE_NAME
from deploy.errors import DeployError
from deploy.files import fill, names, parsed, read_json, remove, write_json
from deploy.release.bentos import check_unchanged
from deploy.release.content import tree_hash
from deploy.release.image import Images
from deploy.release.release import Release, ReleaseStore

__all__ = ["ImageReleases", "models_folder"]

_FOLDER = "images"
_ROOT = Path(__file__).resolve().parents[2]


def models_folder(version: str) -> str:
    """Where the stack's folder has the model files of a release."""
    return f"{_FOLDER}/{version}/models"


class ImageReleases:
    """`store` keeps the Bentos; `root` is the folder of the stack."""

    def __init__(self, store: ReleaseStore, images: Images, engine: Engine, root: Path) -> None:
        self._store = store
        self._images = images
        self._engine = engine
        self._root = root

    def get(self, version: str) -> Release | None:
        """The release of that version, whoever built it; None when there is none."""
        return self._recorded(version) or self._store.get(version)

    def build(self, version: str, models: Path | None) -> Release:
        """Build Bento and image, as far as they are not there."""
        tag = f"{IMAGE_NAME}:{version}"
        there = self._engine.has_image(tag)
        recorded = self._recorded(version) if there else None
        if recorded:
            check_unchanged(recorded, tree_hash(_ROOT), models)
            return recorded
        release = self._store.build(version, models)
        if not there:
            self._images.build(release, self._root / _FOLDER / version)
        if release.models_dir:
            fill(self._root / models_folder(version), Path(release.models_dir))
        write_json(self._record(version), release)
        return release

    def releases(self) -> Sequence[Release]:
        """All, newest first; also those that are no images yet."""
        found = {release.version: release for release in self._store.releases()}
        for version in names(self._root / _FOLDER):
            release = self._recorded(version)
            if release:
                found[version] = release
        return sorted(found.values(), key=lambda release: -release.built_at)

    def delete(self, version: str) -> None:
        """Remove the release, its image and its Bento."""
        self._store.delete(version)
        remove(self._record(version), self._root / _FOLDER / version)
        with contextlib.suppress(DeployError):
            self._engine.docker("image", "rm", f"{IMAGE_NAME}:{version}")

    def _recorded(self, version: str) -> Release | None:
        release = parsed(Release, read_json(self._record(version)))
        return replace(release, models_dir=str(self._root / models_folder(version))) if release else None

    def _record(self, version: str) -> Path:
        return self._root / _FOLDER / version / "release.json"

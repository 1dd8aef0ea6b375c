"""Releases whose Bento is also an image in the engine of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from deploy.docker_engine import Engine
from deploy.errors import DeployError
from deploy.image import IMAGE_NAME, Images
from deploy.release import Release, ReleaseStore

__all__ = ["ImageReleases"]


class ImageReleases:
    """`store` keeps the Bentos; `folder` takes each image's record and SBOM."""

    def __init__(self, store: ReleaseStore, images: Images, engine: Engine, folder: Path) -> None:
        self._store = store
        self._images = images
        self._engine = engine
        self._folder = folder

    def get(self, version: str) -> Release | None:
        """The release of that version; None when there is none."""
        return self._store.get(version)

    def build(self, version: str, models: Path | None) -> Release:
        """Build Bento and image, as far as they are not there."""
        release = self._store.build(version, models)
        if not self._engine.has_image(f"{IMAGE_NAME}:{version}"):
            self._images.build(release, self._folder / version)
        return release

    def releases(self) -> Sequence[Release]:
        """All, newest first."""
        return self._store.releases()

    def delete(self, version: str) -> None:
        """Remove the release and its image."""
        self._store.delete(version)
        with contextlib.suppress(DeployError):
            self._engine.docker("image", "rm", f"{IMAGE_NAME}:{version}")

"""Releases whose Bento is also an image in the engine of the site, where their record and models are kept beside it.

The Bento may be another machine's: what the site keeps is enough to start the release, judge it and go back to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.bento_releases import check_unchanged
from deploy.docker_engine import Engine
from deploy.errors import DeployError
from deploy.image import IMAGE_NAME, Images
from deploy.release import Release, ReleaseStore
from deploy.site import Site
from deploy.tree import tree_hash

__all__ = ["ImageReleases", "models_folder"]

_FOLDER = "images"
_ROOT = Path(__file__).resolve().parent.parent


def models_folder(version: str) -> str:
    """Where the site's disk has the model files of a release."""
    return f"{_FOLDER}/{version}/models"


class ImageReleases:
    """`store` keeps the Bentos of this machine."""

    def __init__(self, store: ReleaseStore, images: Images, engine: Engine, site: Site) -> None:
        self._store = store
        self._images = images
        self._engine = engine
        self._site = site

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
            self._images.build(release, self._site.client_folder / _FOLDER / version)
        if release.models_dir:
            self._site.disk.fill(models_folder(version), Path(release.models_dir))
        self._site.disk.write_json(_record(version), release.to_json())
        return release

    def releases(self) -> Sequence[Release]:
        """All that the site has, newest first; here also those that are no images yet."""
        found = {release.version: release for release in (self._store.releases() if self._site.local else ())}
        for version in self._site.disk.names(_FOLDER):
            release = self._recorded(version)
            if release:
                found[version] = release
        return sorted(found.values(), key=lambda release: -release.built_at)

    def delete(self, version: str) -> None:
        """Remove the release and its image from the site. The Bento stays if the site is another machine."""
        if self._site.local:
            self._store.delete(version)
        self._site.disk.remove(_record(version), f"{_FOLDER}/{version}")
        with contextlib.suppress(DeployError):
            self._engine.docker("image", "rm", f"{IMAGE_NAME}:{version}")

    def _recorded(self, version: str) -> Release | None:
        data = self._site.disk.read_json(_record(version))
        try:
            release = Release.from_json(data)
        except (KeyError, TypeError):
            return None
        return replace(release, models_dir=str(self._models(release)))

    def _models(self, release: Release) -> Path:
        """The model files of a release in a folder of this machine."""
        if self._site.local:
            return self._site.disk.root / models_folder(release.version)
        folder = self._site.client_folder / "models" / (release.models_digest or release.version)
        if not folder.exists():
            self._site.disk.fetch(models_folder(release.version), folder)
        return folder


def _record(version: str) -> str:
    return f"{_FOLDER}/{version}/release.json"

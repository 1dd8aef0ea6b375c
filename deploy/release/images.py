"""Releases that are images too: `bentoml containerize`, the last layer of deploy/Dockerfile, and the SBOM."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import IMAGE_NAME, Engine
from deploy.errors import DeployError, UsageError
from deploy.files import remove, write_json, write_text
from deploy.processes import output_of
from deploy.release.release import Release, ReleaseStore
from deploy.settings import DeploySettings

__all__ = ["Image", "ImageReleases", "Images", "containerize_command", "finish_command"]

_DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"
_TIMEOUT_S = 1800
_LIST_PACKAGES = (
    "from importlib.metadata import distributions as d;"
    "print(*sorted({f\"{x.metadata['Name']}=={x.version}\" for x in d()}), sep='\\n')"
)


@dataclass(frozen=True, slots=True)
class Image:
    """`id` is the digest of the image's configuration, `bytes` its size unpacked."""

    tag: str
    id: str
    bytes: int
    base_image: str
    version: str
    commit: str
    models_version: str


def containerize_command(release: Release, tag: str, options: Sequence[str]) -> list[str]:
    """The command line by which BentoML makes its image of the Bento."""
    return [sys.executable, "-m", "bentoml", "containerize", release.tag, "--image-tag", tag, *options]


def finish_command(release: Release, tag: str, bento: str, base_image: str, options: Sequence[str]) -> list[str]:
    """The command line that puts the last layer on; the Dockerfile goes to its standard input."""
    labels = {
        "org.opencontainers.image.title": IMAGE_NAME,
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.revision": release.commit,
        "pikkit.models.version": release.models_version,
        "pikkit.models.sha256": release.models_sha256,
    }
    line = ["docker", "build", "--tag", tag, *options]
    line += ["--build-arg", f"BENTO_IMAGE={bento}", "--build-arg", f"BASE_IMAGE={base_image}"]
    for name, value in labels.items():
        line += ["--label", f"{name}={value}"]
    return [*line, "-"]


class Images:
    """`environment` is that of its commands: it names the BentoML store, and the engine that `docker` reaches."""

    def __init__(self, settings: DeploySettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = {**environment, "BENTOML_DO_NOT_TRACK": "true"}

    def build(self, release: Release, folder: Path) -> Image:
        """Make the image and write `image.json` and `sbom.json` to `folder`.

        Raises:
            UsageError: no engine answers, or the Bento was built for another base image.
            DeployError: a step failed; its last lines are told.
        """
        self._check_engine()
        self._check_base(release)
        options = shlex.split(self._settings.image_options)
        tag, bento = f"{IMAGE_NAME}:{release.version}", f"{IMAGE_NAME}:{release.version}-bento"
        self._run(containerize_command(release, bento, options))
        dockerfile = _DOCKERFILE.read_text(encoding="utf-8")
        base = self._settings.base_image
        self._run(finish_command(release, tag, bento, base, options), given=dockerfile)
        self._run(["docker", "image", "rm", bento])
        seen = json.loads(self._run(["docker", "image", "inspect", tag]))[0]
        image = Image(tag, seen["Id"], seen["Size"], base, release.version, release.commit, release.models_version)
        write_json(folder / "image.json", image)
        write_text(folder / "sbom.json", self._sbom(tag))
        return image

    def _sbom(self, tag: str) -> str:
        """CycloneDX of the Python packages that the image really holds."""
        line = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", _LIST_PACKAGES]
        packages = self._run(line)
        # Without the converter's own check of what it wrote, which takes four seconds of imports.
        options = ("requirements", "--no-validate", "--output-format", "JSON", "-")
        return self._run([sys.executable, "-m", "cyclonedx_py", *options], given=packages)

    def _check_engine(self) -> None:
        try:
            self._run(["docker", "version", "--format", "{{.Server.Version}}"])
        except DeployError as error:
            raise UsageError(
                f"no container engine answers ({str(error).splitlines()[-1]}): start Docker, or set DOCKER_HOST"
            ) from error

    def _check_base(self, release: Release) -> None:
        """The packages lie in an environment that is the base image's Python's."""
        told = self._run([sys.executable, "-m", "bentoml", "get", release.tag, "--output", "json"])
        own, asked = json.loads(told)["image"]["base_image"], self._settings.base_image
        if own != asked:
            raise UsageError(
                f"the Bento of {release.version} was built for the base image {own}, not {asked}: "
                f"choose a new version, or set BASE_IMAGE={own}"
            )

    def _run(self, command: list[str], given: str | None = None) -> str:
        return output_of(command, environment=self._environment, given=given, timeout_s=_TIMEOUT_S)


class ImageReleases:
    """`store` keeps the releases; each is an image of the engine too, described in `folder`."""

    def __init__(self, store: ReleaseStore, images: Images, engine: Engine, folder: Path) -> None:
        self.get, self.releases = store.get, store.releases
        self._store = store
        self._images = images
        self._engine = engine
        self._folder = folder

    def find(self, version: str, models: Path | None, *, as_built: bool = False) -> Release | None:
        """The release, where its image is there too."""
        release = self._store.find(version, models, as_built=as_built)
        return release if as_built or self._engine.has_image(f"{IMAGE_NAME}:{version}") else None

    def build(self, version: str, models: Path | None) -> Release:
        """Build Bento and image, as far as they are not there."""
        release = self._store.build(version, models)
        if not self._engine.has_image(f"{IMAGE_NAME}:{version}"):
            self._images.build(release, self._folder / version)
        return release

    def delete(self, version: str) -> None:
        """Remove the release, its image and its Bento."""
        self._store.delete(version)
        remove(self._folder / version)
        with contextlib.suppress(DeployError):
            self._engine.docker("image", "rm", f"{IMAGE_NAME}:{version}")

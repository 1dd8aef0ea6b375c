"""Releases as Bentos in BentoML's store, each with a record of what went into it and a copy of its model files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from deploy.errors import DeployError, UsageError
from deploy.files import parsed, read_json, write_json
from deploy.processes import output_of
from deploy.release.release import Golden, Release, commit_of, describe_models, tree_hash

__all__ = ["BentoReleases", "build_command"]


def build_command(release: Release, bentofile: Path) -> list[str]:
    """The command line that makes the Bento."""
    line = [sys.executable, "-m", "bentoml", "build", "--version", release.version, "--output", "tag"]
    for name, value in {"git_commit": release.commit, **_labels(release)}.items():
        line += ["--label", f"{name}={value}"]
    return [*line, "--bentofile", str(bentofile), "."]


class BentoReleases:
    """`folder` holds a record and the model files per version; `environment` names the BentoML store."""

    def __init__(self, root: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._folder = folder
        self._environment = dict(environment)

    def get(self, version: str) -> Release | None:
        """The release of that version; None when there is none."""
        return parsed(Release, read_json(self._record(version)))

    def find(self, version: str, models: Path | None, *, as_built: bool = False) -> Release | None:
        """The one that was built from the same (`as_built`: from any code); None where one can be built."""
        if not re.fullmatch("[a-z0-9][a-z0-9._-]{0,62}", version):
            raise UsageError(f"version {version!r} can't be a tag: use lower-case letters, digits, '.', '-' and '_'")
        existing = self.get(version)
        described = describe_models(models or self._default_models()) if models or not existing else None
        if existing and (models or not as_built) and existing.tree != tree_hash(self._root):
            raise UsageError(
                f"release {version} was built from other code (commit {existing.commit}): choose a new version, "
                "or add --as-built to deploy it as it was"
            )
        if existing and described and existing.models_digest != described.digest:
            raise UsageError(
                f"release {version} holds model set {existing.models_version}, not {described.version}: "
                "choose a new version"
            )
        return existing

    def build(self, version: str, models: Path | None) -> Release:
        """Build it, or return the one that was built from the same."""
        existing = self.find(version, models)
        if existing:
            return existing
        described = describe_models(models or self._default_models())
        kept = self._folder / version / "models"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for file in described.files:
            shutil.copy2(file, kept / file.name)
        line = [sys.executable, "import_models.py", "--from", str(kept), "--no-activate", "--json"]
        imported = json.loads(self._run(line).splitlines()[-1])  # tag in the model store, digest, golden bets
        release = Release(
            version=version,
            tree=tree_hash(self._root),
            commit=commit_of(self._root),
            models_sha256=imported["sha256"],
            models_digest=described.digest,
            models_version=described.version,
            built_at=time.time(),
            golden=tuple(Golden(item["bet"], item["expected"]) for item in imported["golden"]),
            models_dir=str(kept),
        )
        bentofile = self._bentofile(version, imported["tag"])
        release = replace(release, shared=not self._make_bento(release, bentofile))
        write_json(self._record(version), release)
        return release

    def releases(self) -> Sequence[Release]:
        """All, newest first."""
        found = [self.get(path.parent.name) for path in self._folder.glob("*/release.json")]
        return sorted((release for release in found if release), key=lambda release: -release.built_at)

    def delete(self, version: str) -> None:
        """Remove the Bento and its record; the record first, so that a half-deleted release is no release."""
        release = self.get(version)
        shutil.rmtree(self._folder / version, ignore_errors=True)
        if release and not release.shared:
            with contextlib.suppress(DeployError):
                self._run([sys.executable, "-m", "bentoml", "delete", release.tag, "-y"])

    def _make_bento(self, release: Release, bentofile: Path) -> bool:
        """False where the store has it already: of a stack beside this one, or of a command that was cut off."""
        try:
            self._run(build_command(release, bentofile), MODEL_DIR=str(release.models_dir), APP_VERSION=release.version)
        except DeployError:
            found = self._stored_labels(release.tag)
            if found is None:
                raise
            if any(found.get(name) != value for name, value in _labels(release).items()):
                raise UsageError(
                    f"the BentoML store has {release.tag} already, of other code or models: choose a new version"
                ) from None
            return False
        return True

    def _stored_labels(self, tag: str) -> dict[str, str] | None:
        try:
            told = json.loads(self._run([sys.executable, "-m", "bentoml", "get", tag, "--output", "json"]))
        except (DeployError, ValueError):
            return None
        return {name: str(value) for name, value in told["labels"].items()}

    def _bentofile(self, version: str, tag: str | None) -> Path:
        """The project's bentofile, but with this one imported set in place of the model files of the checkout."""
        content = yaml.safe_load((self._root / "bentofile.yaml").read_text(encoding="utf-8"))
        if tag is not None:
            content["models"] = [tag]
            content["include"] = [pattern for pattern in content["include"] if not pattern.startswith("models/")]
        path = self._folder / version / "bentofile.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    def _default_models(self) -> Path:
        given = os.environ.get("MODEL_DIR") or self._environment.get("MODEL_DIR")
        return Path(given) if given else self._root / "models"

    def _record(self, version: str) -> Path:
        return self._folder / version / "release.json"

    def _run(self, command: list[str], **more: str) -> str:
        environment = {**os.environ, **self._environment, "BENTOML_DO_NOT_TRACK": "true", **more}
        return output_of(command, environment=environment, folder=self._root)


def _labels(release: Release) -> dict[str, str]:
    """What tells one content from another."""
    return {
        "tree_sha256": release.tree,
        "models_digest": release.models_digest,
        "models_version": release.models_version,
    }

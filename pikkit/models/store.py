"""Model sets in the BentoML model store: one model `pikkit_bet_models:<timestamp>` per set, whole or not at all.

Looked up by exact tag or digest only: the store's `get` matches by prefix, its `latest` is the last one made.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException
from bentoml.models import ModelContext
from filelock import FileLock

from pikkit.errors import ModelError
from pikkit.files import why
from pikkit.models.activation import home
from pikkit.models.conversion import STORE_NAME
from pikkit.models.libraries import library
from pikkit.models.loading import folders_made_of, is_sound, load_set
from pikkit.models.model_set import ModelSet

__all__ = ["Stored", "find", "newest", "save"]

_DIGEST = "source_sha256"
_LOCK = "pikkit_import.lock"  # who stores a set first looks whether it is there
_LOCK_WAIT_S = 60.0
_TAG = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?:[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Stored:
    """A set in the store."""

    tag: str
    folder: Path

    def load(self) -> ModelSet:
        """The set itself.

        Raises:
            ModelError: its files are not those that were stored.
        """
        return load_set(self.folder, tag=self.tag)


def find(sha256: str, tag: str | None = None) -> Stored | None:
    """The set that was made of user files with this digest, if it is whole and of today's format.

    Args:
        sha256: digest over the user files.
        tag: the tag that it must have; default: any of pikkit_bet_models.

    Raises:
        ModelError: that can't be a tag.
    """
    if tag and not _TAG.fullmatch(tag):
        raise ModelError(f"{tag!r} is not a tag: give NAME:VERSION of lower-case letters, digits, '.', '_' and '-'")
    found = map(_get, [tag] if tag else _tags_of(sha256))
    return next((_stored(model) for model in found if _is_of(model, sha256) and is_sound(Path(model.path))), None)


def newest() -> Stored | None:
    """The sound set that was stored last; inside a built Bento, the one it carries."""
    everything = [model for model in bentoml.models.list() if model.tag.name == STORE_NAME]
    found = sorted(everything, key=lambda model: model.info.creation_time, reverse=True)
    return next((stored for stored in map(_stored, found) if is_sound(stored.folder)), None)


def save(folder: Path, models: ModelSet, tag: str | None = None) -> Stored:
    """Store the converted set in `folder`; the same set a second time, or from two commands at once, changes nothing.

    Args:
        folder: what `pikkit.models.conversion` wrote.
        models: the same, loaded.
        tag: NAME:VERSION; default: pikkit_bet_models:<timestamp>, with a digest where that is taken by other files.

    Raises:
        ModelError: the tag is taken by another set, or can't be a tag.
        OSError: the store can't be written.
    """
    home().mkdir(parents=True, exist_ok=True)
    with FileLock(home() / _LOCK, timeout=_LOCK_WAIT_S):
        return _saved(folder, models, tag)


def _saved(folder: Path, models: ModelSet, tag: str | None) -> Stored:
    known = find(models.sha256, tag)
    if known:
        return known
    wanted = tag or f"{STORE_NAME}:{models.version.lower()}"
    if not _cleared(wanted, models.sha256):
        if tag:
            raise ModelError(f"{tag} is in the store already, with other models: choose a new version")
        wanted = f"{wanted}-{models.sha256[:8]}"
        _cleared(wanted, models.sha256)
    labels = {"version": models.version, _DIGEST: models.sha256, "starter": str(models.starter).lower()}
    try:
        with bentoml.models.create(
            wanted,
            module="pikkit.models.model_set",
            labels=labels,
            signatures=_SIGNATURES,
            metadata=_metadata(folder, models),
            context=ModelContext("xgboost", _versions()),
        ) as model:
            shutil.copytree(folder, model.path, dirs_exist_ok=True)
    except (BentoMLException, OSError) as cause:
        raise ModelError(f"{wanted} can't be stored ({why(cause)}): check BENTOML_HOME") from cause
    return _stored(_get(wanted))


# What `load_set` answers for n feature rows at once.
_SIGNATURES: Any = {name: {"batchable": True, "batch_dim": 0} for name in ("win_probability", "roi")}
_FRAMEWORKS = ("bentoml", "numpy", "onnxruntime", "scikit-learn")


def _metadata(folder: Path, models: ModelSet) -> dict[str, Any]:
    """What `bentoml models get` shows of the set; BentoML takes no null."""
    found = {
        "timestamp": models.version,
        "features": list(models.spec.names),
        "categories": {column: len(encoder.classes) for column, encoder in models.spec.encoders.items()},
        "engines": {name: dict(engine) for name, engine in models.manifest["engines"].items()},
        "history": models.history.size,
        "trained_until": models.metadata.get("trained_until"),
        "files": {
            name: {"sha256": sha256, "bytes": (folder / name).stat().st_size}
            for name, sha256 in models.manifest["files"].items()
        },
    }
    return {name: value for name, value in found.items() if value is not None}


def _versions() -> dict[str, str]:
    """Versions of the libraries that read and serve the set."""
    # The distribution of xgboost has another name on some platforms.
    return {"xgboost": library("xgboost").__version__, **{name: version(name) for name in _FRAMEWORKS}}


def _get(tag: str) -> Any:
    """The model with exactly this tag; None without one. To read those of all others takes 4 ms each."""
    try:
        model = bentoml.models.get(tag)
    except BentoMLException:
        return None
    return model if str(model.tag) == tag else None


def _tags_of(sha256: str) -> Iterator[str]:
    """Those whose files were made of user files with this digest, as far as their manifests tell."""
    try:
        store = Path(bentoml.models.get(STORE_NAME).path).parent
    except BentoMLException:
        return
    yield from (f"{STORE_NAME}:{folder.name}" for folder in folders_made_of(sha256, store))


def _is_of(model: Any, sha256: str) -> bool:
    return model is not None and model.info.labels.get(_DIGEST) == sha256


def _cleared(tag: str, sha256: str) -> bool:
    """Whether the tag is free: what was made of the same files, and is of another format or broken, gives it up."""
    model = _get(tag)
    if _is_of(model, sha256) and not is_sound(Path(model.path)):
        shutil.rmtree(model.path)
        return True
    return model is None


def _stored(model: Any) -> Stored:
    return Stored(str(model.tag), Path(model.path))

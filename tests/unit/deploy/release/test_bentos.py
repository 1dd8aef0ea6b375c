"""Whether a release can be built or reused, which is told without building anything."""

from pathlib import Path

import pytest

from deploy.errors import UsageError
from deploy.files import write_json
from deploy.release.bentos import BentoReleases
from deploy.release.release import Release, describe_models, tree_hash
from tests.support.need import root


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BentoReleases:
    """1 is there, of today's code and models; 2 of other code, 3 of other models. More are built of no models."""
    monkeypatch.delenv("MODEL_DIR", raising=False)
    (tmp_path / "service.py").write_text("")
    models = describe_models(root() / "models")
    tree = tree_hash(tmp_path)
    for version, code, digest in (("1", tree, models.digest), ("2", "other", models.digest), ("3", tree, "other")):
        release = Release(version, code, "c0ffee", "5ha", models.version, 0.0, models_digest=digest)
        write_json(tmp_path / f"releases/{version}/release.json", release)
    return BentoReleases(tmp_path, tmp_path / "releases", {"MODEL_DIR": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("version", "models", "as_built", "found"),
    [
        ("1", None, False, True),
        ("1", "models", False, True),
        ("2", None, True, True),  # of whatever code
        ("3", None, False, True),  # of whatever models
        ("4", "models", False, False),
    ],
)
def test_a_release_is_found_or_can_be_built(
    store: BentoReleases, version: str, models: str | None, *, as_built: bool, found: bool
) -> None:
    release = store.find(version, root() / models if models else None, as_built=as_built)
    assert (release is not None and release.version == version) == found


@pytest.mark.parametrize(
    ("version", "models", "as_built", "said"),
    [
        *((bad, None, False, f"version '{bad}' can't be a tag: use lower-case letters") for bad in ("No", "", "../1")),
        ("2", None, False, r"release 2 was built from other code \(commit c0ffee\): choose a new version, or add"),
        ("2", "models", True, "release 2 was built from other code"),
        ("3", "models", False, "release 3 holds model set .*: choose a new version"),
        ("1", "docs", False, "docs"),
        ("4", None, False, "none is not a folder: .*; --models or MODEL_DIR names a folder with a whole model set"),
    ],
)
def test_what_can_neither_be_built_nor_reused_is_refused_and_nothing_is_made(
    store: BentoReleases, tmp_path: Path, version: str, models: str | None, *, as_built: bool, said: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=said):
        store.find(version, root() / models if models else None, as_built=as_built)
    assert sorted(tmp_path.rglob("*")) == before

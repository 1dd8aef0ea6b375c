"""A release carries the files that the service reads, under the version that it tells."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import UsageError
from deploy.release.release import describe_models
from pikkit.models.importing import checked
from pikkit.models.user_files import METADATA_FILE, ROI_FILE, WIN_FILE
from tests.support.model_files import train, write_set


def test_what_a_release_copies_is_served_under_the_version_that_it_was_recorded_with(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "2025-12-22T13:11:23Z")
    for file, model, kind in zip((WIN_FILE, ROI_FILE), train(1), ("ubj", "json"), strict=True):
        (folder / file).unlink()
        (folder / file.replace("pkl", kind)).write_bytes(bytes(model.get_booster().save_raw(kind)))
    described = describe_models(folder)
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in described.files:
        shutil.copy2(path, kept / path.name)
    with checked(kept) as models:
        assert models.version == described.version == "20251222_131123"
    assert describe_models(kept).digest == described.digest
    (kept / ROI_FILE.replace("pkl", "json")).write_text("{}")
    assert describe_models(kept).digest != described.digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / WIN_FILE).unlink(), f"has no {WIN_FILE}"),
        (lambda folder: (folder / WIN_FILE.replace("pkl", "ubj")).write_bytes(b"{"), "which one counts"),
        (lambda folder: (folder / METADATA_FILE).write_text("{}"), "has no `timestamp`"),
        (shutil.rmtree, "is not a folder"),
    ],
)
def test_what_is_no_set_makes_no_release(change: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", "1")
    change(folder)
    with pytest.raises(UsageError, match=said) as caught:
        describe_models(folder)
    assert "--models" in str(caught.value)
    assert "\n" not in str(caught.value)

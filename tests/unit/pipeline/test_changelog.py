from datetime import date
from pathlib import Path

import pytest

from pikkit.settings import Settings
from tests.support.need import root
from tests.support.pipeline import ci_module

changelog = ci_module("changelog")
PLACES, current_version, cut, cut_files, notes = (
    getattr(changelog, name) for name in ("PLACES", "current_version", "cut", "cut_files", "notes")
)
DAY = date(2026, 11, 25)
TEXT = """# Changelog

## [Unreleased]

### Fixed
- Two.

## [1.9.0] - 2026-01-02

### Added
- One.
"""


def test_what_was_unreleased_becomes_the_section_of_the_version() -> None:
    after = cut(TEXT, "1.10.0", DAY)
    assert "## [Unreleased]\n\n## [1.10.0] - 2026-11-25\n\n### Fixed\n- Two.\n\n## [1.9.0]" in after
    assert notes(after, "1.10.0") == "### Fixed\n- Two."
    assert notes(after, "1.9.0") == "### Added\n- One."
    assert not notes(after, "Unreleased")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.9.0", "not above the last release, 1.9.0"),
        ("1.8.9", "not above"),
        ("v2.0.0", "three numbers"),
        ("2.0", "three numbers"),
        ("2.0.0\n", "three numbers"),
        ("02.0.0", "three numbers"),
    ],
)
def test_a_version_that_is_malformed_or_does_not_grow_is_refused(version: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cut(TEXT, version, DAY)


def test_a_release_without_changes_and_notes_of_an_unknown_version_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing is unreleased"):
        cut(cut(TEXT, "2.0.0", DAY), "2.0.1", DAY)
    with pytest.raises(ValueError, match=r"no section of 3\.0\.0"):
        notes(TEXT, "3.0.0")


def _copy(folder: Path) -> None:
    (folder / "pikkit").mkdir()
    for name in [*PLACES, "CHANGELOG.md"]:
        (folder / name).write_text((root() / name).read_text(encoding="utf-8"), encoding="utf-8")


def test_a_cut_changes_the_version_everywhere_and_nothing_else(tmp_path: Path) -> None:
    _copy(tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(TEXT, encoding="utf-8")
    cut_files(tmp_path, "98.7.6", DAY)
    assert current_version(tmp_path) == "98.7.6"
    for name in PLACES:
        before = (root() / name).read_text(encoding="utf-8").splitlines()
        after = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        changed = [new for old, new in zip(before, after, strict=True) if old != new]
        assert len(changed) == 1
        assert "98.7.6" in changed[0]


def test_a_cut_that_can_not_be_made_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    _copy(tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(TEXT, encoding="utf-8")
    (tmp_path / "README.md").write_text("no such row\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.md does not show"):
        cut_files(tmp_path, "98.7.6", DAY)
    assert (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8") == TEXT
    assert current_version(tmp_path) == current_version(root())


def test_the_places_that_show_the_version_agree_and_the_changelog_parses() -> None:
    version = current_version(root())
    assert Settings.model_fields["app_version"].default == version
    for name, place in PLACES.items():
        assert place.findall((root() / name).read_text(encoding="utf-8")) == [version]
    assert notes((root() / "CHANGELOG.md").read_text(encoding="utf-8"), "Unreleased") is not None

"""`python .ci/changelog.py cut VERSION | notes VERSION | version`: the changelog, and the version.

The version stands in pyproject.toml; `cut` also carries it to the two places that show it: the default of APP_VERSION
and its row in README.md.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_UNRELEASED = "## [Unreleased]"
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<day>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
PLACES = {
    "pyproject.toml": re.compile(r'(?<=^version = ")[^"]+', re.MULTILINE),
    "pikkit/settings.py": re.compile(r'(?<=app_version: str = Field\(")[^"]+'),
    "README.md": re.compile(r"(?<=\| `APP_VERSION` \| `)[^`]+"),
}


def cut(text: str, version: str, day: date) -> str:
    """The changelog with what was unreleased as the section of `version`.

    Raises:
        ValueError: the version is malformed, not above the last one, or nothing is unreleased.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"version {version!r} is not three numbers: write 1.2.0")
    released = [heading["version"] for heading in _HEADING.finditer(text) if heading["day"]]
    if released and _numbers(version) <= max(map(_numbers, released)):
        raise ValueError(f"version {version} is not above the last release, {max(released, key=_numbers)}")
    if not notes(text, "Unreleased"):
        raise ValueError(f"nothing is unreleased: describe the changes under {_UNRELEASED} in CHANGELOG.md")
    return text.replace(_UNRELEASED, f"{_UNRELEASED}\n\n## [{version}] - {day.isoformat()}", 1)


def notes(text: str, version: str) -> str:
    """What the section of `version` says.

    Raises:
        ValueError: there is no such section.
    """
    headings = list(_HEADING.finditer(text))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["version"] == version:
            return text[heading.end() : following.start() if following else len(text)].strip()
    raise ValueError(f"CHANGELOG.md has no section of {version}: `make release VERSION={version}` cuts it")


def current_version(root: Path) -> str:
    """The version in pyproject.toml."""
    found = PLACES["pyproject.toml"].search((root / "pyproject.toml").read_text(encoding="utf-8"))
    if not found:
        raise ValueError("pyproject.toml has no version")
    return found[0]


def cut_files(root: Path, version: str, day: date) -> None:
    """Cut the section, and carry the version to its places. Either all files change or none."""
    changelog = root / "CHANGELOG.md"
    texts = {changelog: cut(changelog.read_text(encoding="utf-8"), version, day)}
    for name, place in PLACES.items():
        path = root / name
        texts[path], count = place.subn(version, path.read_text(encoding="utf-8"), count=1)
        if not count:
            raise ValueError(f"{name} does not show the version where it should")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _main(arguments: list[str]) -> str:
    match arguments:
        case ["version"]:
            return current_version(_ROOT)
        case ["notes", version]:
            return notes((_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        case ["cut", version]:
            cut_files(_ROOT, version, datetime.now(UTC).date())
            return (
                f"CHANGELOG.md and the version say {version}. To release it:\n"
                f"  git commit -am 'Release {version}' && git tag -a v{version} -m {version} && "
                f"git push --follow-tags"
            )
        case _:
            raise ValueError("usage: python .ci/changelog.py cut VERSION | notes VERSION | version")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("words", nargs="*", metavar="WORD", help="cut VERSION | notes VERSION | version")
    try:
        sys.stdout.write(_main(asked.parse_args().words) + "\n")
    except ValueError as error:
        sys.exit(str(error))

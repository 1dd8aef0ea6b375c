"""A user's set as the import makes it of its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from pikkit.models import importing
from pikkit.models.conversion import convert
from pikkit.models.loading import load_set
from pikkit.models.model_set import ModelSet
from pikkit.models.reading.whole_set import write
from pikkit.models.user_files import UserFiles, take_copy


@contextmanager
def read_here() -> Iterator[None]:
    """Meanwhile an import reads what it is given in this process: for sets that the tests themselves made."""

    def here(copy: UserFiles, into: Path) -> None:
        write(copy.folder, into, copy.sha256)

    with patch.object(importing, "convert", here):
        yield


def converted(folder: Path, work: Path) -> ModelSet:
    """Without a process of its own, which takes two seconds to begin."""
    (work / "copy").mkdir(parents=True)
    copy = take_copy(folder, work / "copy")
    write(copy.folder, work / "set", copy.sha256)
    return load_set(work / "set")


def converted_apart(folder: Path, work: Path) -> ModelSet:
    """In a process of its own, as users' files are."""
    (work / "copy").mkdir(parents=True)
    convert(take_copy(folder, work / "copy"), work / "set")
    return load_set(work / "set")

"""A user's set as the import makes it of its files."""

from pathlib import Path

from pikkit.models.conversion import convert
from pikkit.models.loading import load_set
from pikkit.models.model_set import ModelSet
from pikkit.models.reading.whole_set import write
from pikkit.models.user_files import take_copy


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

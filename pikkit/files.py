"""Files that other processes read at any moment."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

__all__ = ["replace_file", "why"]


def replace_file(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write a file at once: readers see the old one or the new one, never half of it.

    Args:
        path: of the file.
        content: what it is to hold.
        lasting: it is on disk before it gets its name, and every user may read it.

    Raises:
        OSError: it can't be written; the old one is as it was, and nothing else is left.
    """
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


def why(cause: Exception) -> str:
    """What stands in the way of a file, without its name: in the system's words, else in its reader's."""
    if isinstance(cause, shutil.Error) and isinstance(cause.args[0], list):  # of many files, a line each
        return re.sub(r"^\[Errno \d+\] |: '.*", "", str(cause.args[0][0][-1]))
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)

"""Files that other processes read at any moment."""

from __future__ import annotations

import tempfile
from pathlib import Path

__all__ = ["replace_file", "why"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: readers see the old one or the new one, never half of it.

    Raises:
        OSError: it can't be written; the old one is as it was, and nothing else is left.
    """
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


def why(cause: Exception) -> str:
    """What stands in the way of a file, without its name: in the system's words, else in its reader's."""
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)

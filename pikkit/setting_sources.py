"""Where settings stand beside the environment: in `.env`, and in files of secrets.

Their readers (python-dotenv, pydantic-settings) leave out what they can't read, with a warning at most. A key that is
left out opens the service, so here it stops the start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

__all__ = ["WrongSetting", "names_in_dotenv", "secret_files"]

_DEFAULT_FOLDER = "/run/secrets"


class WrongSetting(ValueError):
    """A setting breaks a rule, or is none; the message names it and the rule, never a secret."""


def names_in_dotenv(path: Path) -> set[str]:
    """Names, in upper case, that the file gives a value to; of one that is given twice the last line counts.

    Raises:
        WrongSetting: a line is none, a later one empties a setting, or the file can't be read.
    """
    if not path.is_file():
        return set()
    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(_text(path))):
        line = f"line {binding.original.line} of {path.name}"
        if binding.error or (binding.key and binding.value is None):
            raise WrongSetting(f"{line} is no setting: write NAME=value, with every quote closed")
        if binding.key:
            name, value = binding.key.upper(), binding.value or ""
            if values.get(name) and not value:
                raise WrongSetting(f"{line} sets {name} to nothing, an earlier one to a value: take one of them out")
            values[name] = value
    return {name for name, value in values.items() if value}


def secret_files(known: Collection[str]) -> tuple[Path, set[str]]:
    """The folder of secrets (SECRETS_DIR, else /run/secrets), and the names of its files, in upper case.

    Raises:
        WrongSetting: SECRETS_DIR was named and can't be read, or a file of a `known` name can't.
    """
    named = os.environ.get("SECRETS_DIR")
    folder = Path(named or _DEFAULT_FOLDER)
    try:
        files = list(folder.iterdir())
        if not os.access(folder, os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as cause:
        if named:
            raise WrongSetting(
                f"SECRETS_DIR={folder} can't be read ({cause.strerror}): name the folder with the files of secrets, or "
                "leave SECRETS_DIR out"
            ) from None
        if isinstance(cause, PermissionError):
            sys.stderr.write(f"settings: {folder} can't be read, so nothing of it counts\n")
        return folder, set()
    for file in files:
        if file.name.upper() in known:
            _text(file)
    return folder, {file.name.upper() for file in files}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as cause:
        raise WrongSetting(
            f"{path} can't be read ({cause.strerror}): it must be a file that the service may read"
        ) from None
    except UnicodeDecodeError:
        raise WrongSetting(f"{path} is no text: write it in UTF-8") from None

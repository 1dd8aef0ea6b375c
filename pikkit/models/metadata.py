"""The metadata of users' sets: what it must hold, and what it may ask for.

`python -m pikkit.models.metadata DIR` tells programs what the set in a folder is: version and files, as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pikkit.errors import ModelError
from pikkit.models.user_files import METADATA_FILE, files_of

__all__ = ["check_contract", "read_json", "read_metadata"]

_MOST_CLASSES = 100_000
_LARGEST_PRIOR = 50.0


def read_json(path: Path) -> Any:
    """The JSON in a file.

    Raises:
        ModelError: it is none.
    """
    try:
        return json.loads(path.read_bytes())  # in UTF-8, 16 or 32, with their marks too
    except (ValueError, RecursionError) as cause:
        raise ModelError(f"{path.name} is not JSON ({str(cause)[:120]}): write it again") from cause


def _finite(value: Any) -> Any:
    """The same with null for NaN and Infinity, which some trainers write and which are no JSON."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metadata(path: Path) -> dict[str, Any]:
    """A set's metadata, its `timestamp` as a tag has it (an ISO one as 20251222_131123).

    Raises:
        ModelError: it is none, or has classes that can't be codes.
    """
    metadata = _finite(read_json(path))
    if not isinstance(metadata, dict):
        raise ModelError(f"{path.name} is not an object with timestamp, features and encoders: write it again")
    version = metadata["timestamp"] = _version(metadata.get("timestamp"))
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    if not isinstance(version, str) or not version or len(version) > 63:  # noqa: PLR2004 - a tag's limit
        raise ModelError(f"{path.name} has no `timestamp`: name the version, such as 20251222_131123")
    if set(version.lower()) - allowed or not version[0].isalnum() or not version[-1].isalnum():
        raise ModelError(f"timestamp {version!r} can't be a tag: use letters, digits, '.', '_' and '-'")
    encoders = metadata.get("encoders")
    for column, classes in encoders.items() if isinstance(encoders, dict) else ():
        _check_classes(path.name, column, classes)
    return metadata


def _version(written: Any) -> Any:
    """An ISO timestamp as a version; anything else as it is."""
    try:
        return datetime.fromisoformat(written).strftime("%Y%m%d_%H%M%S") if ":" in written else written
    except (TypeError, ValueError):
        return written


def _check_classes(file: str, column: str, classes: Any) -> None:
    if not isinstance(classes, list):
        return  # refused by whoever reads encoders
    if len(classes) > _MOST_CLASSES:
        raise ModelError(
            f"{file}: the encoder of {column} has {len(classes):,} classes: up to {_MOST_CLASSES:,} are served; are "
            "these names, or rows?"
        )
    seen: set[str] = set()
    for name in classes:
        if isinstance(name, str) and name in seen:
            raise ModelError(
                f"{file}: the encoder of {column} lists {name[:60]!r} twice, so its code is not known: list each once, "
                "in the order of the codes"
            )
        seen.add(str(name))


def check_contract(metadata: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse what a set asks for beyond the plain models, if it is not known here.

    Raises:
        ModelError: it is not.
    """
    prior, roi = metadata.get("prior"), metadata.get("roi")
    if prior:
        numbers: list[Any] = [prior.get(name) for name in ("intercept", "slope")] if isinstance(prior, dict) else []
        if not numbers or prior.get("type") != "market_logit" or not all(isinstance(n, int | float) for n in numbers):
            raise ModelError(
                f"{METADATA_FILE} has prior {str(prior)[:120]}: known is "
                '{"type": "market_logit", "intercept": number, "slope": number}'
            )
        if not all(math.isfinite(n) and abs(n) <= _LARGEST_PRIOR for n in numbers):
            raise ModelError(
                f"{METADATA_FILE} has a prior of {numbers}: log-odds beyond ±{_LARGEST_PRIOR:g} are certainties; "
                "fit it again"
            )
        if "implied_prob" not in names:
            raise ModelError(f"{METADATA_FILE} has a market prior but no feature implied_prob, which the prior needs")
    if isinstance(roi, dict) and "type" in roi and roi["type"] != "from_probability":
        raise ModelError(f"{METADATA_FILE} has roi of type {roi['type']!r}: known is 'from_probability'")


def main(folder: Path) -> None:
    """Version and files of the set in a folder; what is wrong with it, on the error output and by the status."""
    try:
        files = files_of(folder)
        version = read_metadata(files[METADATA_FILE])["timestamp"]
    except ModelError as error:
        sys.exit(error.message)
    print(json.dumps({"version": version, "files": [path.name for path in files.values()]}))  # noqa: T201 - the answer


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, help="with a model set")
    main(asked.parse_args().folder)

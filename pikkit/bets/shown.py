"""Values of callers: whether they say anything, and how error messages repeat them: short, and never in full."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["field_at", "is_nothing", "named", "shown"]

_LONGEST = 40
_LONGEST_TEXT = 200  # beyond it, only how long the text is


def is_nothing(value: object) -> bool:
    """Whether an optional field with this value is absent: null and blank text are."""
    return value is None or (isinstance(value, str) and not value.strip())


def named(name: str) -> str:
    """The first 40 characters of a name, what does not print escaped."""
    return _clipped(name if name.isprintable() else repr(name)[1:-1])


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def field_at(place: Iterable[int | str]) -> str:
    """Where a value of a bet stands, by the indices and names that lead to it: `legs[1].odds`."""
    return "".join(f"[{one}]" if isinstance(one, int) else f".{named(one)}" for one in place).removeprefix(".")


def shown(value: object) -> str:
    """The value in a few characters, whatever it is."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"({len(value)} characters)"
    try:
        return _clipped(repr(value))
    except ValueError:  # Python refuses to write integers of more than 4,300 digits
        return "(a number of thousands of digits)"

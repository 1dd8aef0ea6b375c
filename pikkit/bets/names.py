"""Names of sports, leagues, markets, sportsbooks and bet types: one spelling, and the code a model set gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["ALIASES", "Encoder", "fold", "group_key"]

# Entries with which an encoder itself stands for "no such value", the better one first.
_UNKNOWN = ("unknown", "none")
_REMEMBERED = 16_384  # spellings; callers can send any
_REMEMBERED_PER_ENCODER = 4096


@lru_cache(_REMEMBERED)
def fold(value: str) -> str:
    """The value without case, outer and repeated blanks: what two spellings of one name have in common."""
    return " ".join(value.split()).casefold()


def _read_aliases() -> Mapping[str, Mapping[str, str]]:
    raw = json.loads(Path(__file__).with_name("aliases.json").read_text(encoding="utf-8"))
    return MappingProxyType({column: {fold(name): to for name, to in names.items()} for column, names in raw.items()})


ALIASES = _read_aliases()


@lru_cache(_REMEMBERED)
def group_key(column: str, value: str) -> str:
    """The value as past results are grouped by it: aliases resolved, folded."""
    folded = fold(value)
    alias = ALIASES[column].get(folded)
    return folded if alias is None else fold(alias)


class Encoder:
    """Codes of one column in one model set: the position in its list of classes."""

    def __init__(self, classes: Sequence[str], aliases: Mapping[str, str]) -> None:
        """Make one.

        Args:
            classes: as the metadata lists them; position = code.
            aliases: folded other names to a class's name. One whose target is not a class is ignored.

        Classes that differ only by case keep a code each for their exact spelling; any other goes to the first.
        """
        self.classes = tuple(classes)
        self._codes: dict[str, int] = {}
        self._exact: dict[str, int] = {}
        for code, name in enumerate(self.classes):
            if self._codes.setdefault(fold(name), code) != code:
                self._exact.setdefault(name, code)
        self._codes |= {other: self._codes[fold(name)] for other, name in aliases.items() if fold(name) in self._codes}
        unknown = next((self._codes[name] for name in _UNKNOWN if name in self._codes), None)
        self._unknown = float("nan") if unknown is None else float(unknown)
        self.find = lru_cache(_REMEMBERED_PER_ENCODER)(self._find)

    def _find(self, value: str) -> tuple[float, bool]:
        """Code and knowledge of a value at once; `find` remembers spellings."""
        return self.code(value), self.knows(value)

    def code(self, value: str) -> float:
        """The value's code; the class for unknown values where there is one, else NaN (missing)."""
        if value in self._exact:
            return self._exact[value]
        return self._codes.get(fold(value), self._unknown)

    def knows(self, value: str) -> bool:
        """Whether the value has a code of its own."""
        return fold(value) in self._codes

    def canonical(self, value: str) -> str:
        """The class's own spelling.

        Raises:
            KeyError: the value is not known.
        """
        return self.classes[self._exact.get(value, self._codes[fold(value)])]

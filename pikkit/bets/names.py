"""Names of sports, leagues, markets, sportsbooks and bet types: one spelling, and the code a model set gives it.

Callers, exports and model sets spell one thing in many ways. `fold` takes out what never matters; aliases.json tells
which names mean the same: a family's first name, names that `yield` to it even where a set lists them too, and names
that are `also` used. Aliases work both ways, towards whichever name of the family a model set or its history knows.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

__all__ = ["Encoder", "KnownNames", "fold", "folded", "group_key", "same_name"]

_NOT_GIVEN = frozenset({"none", "null", "undefined", "n/a", "nan"})
# Entries with which an encoder itself stands for "no such value", the better one first.
_UNKNOWN = ("unknown", "none")
_REMEMBERED = 4096  # spellings; callers can send any, and each function keeps up to 1 MiB of them
_REMEMBERED_PER_ENCODER = 1024

_NO_SIGNS = dict.fromkeys(
    code for code in range(128) if not chr(code).isalnum()
)  # three times as fast as to look at each

_BETWEEN = "  "  # which no folded name has in it

_Family = tuple[str, ...]  # names that mean the same, bare, the first one's first


@lru_cache(_REMEMBERED)
def fold(value: str) -> str:
    """What all spellings of one name have in common; empty where the value says that there is none.

    Unicode's compatibility form (NFKC), no format characters (zero-width blanks and the like), no outer or repeated
    blanks, no case.
    """
    if value.isascii():  # which has no other forms and no such characters
        text = value.lower()
    else:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = " ".join(text.split())
    return "" if text in _NOT_GIVEN else text


def folded(values: Sequence[str]) -> list[str]:
    """`fold` of each, none of which has control characters: a fifth of the cost where they were never seen before."""
    text = _BETWEEN.join(values)
    if text.isascii() and f"{_BETWEEN} " not in text and text.strip() == text:
        names = text.lower().split(_BETWEEN)
        if len(names) == len(values) and _NOT_GIVEN.isdisjoint(names):  # else one has a repeated blank
            return names
    return list(map(fold, values))


def _bare(folded: str) -> str:
    """Letters and digits only: `N.B.A.`, `Money-Line` and `Fan Duel` are seen through."""
    bare = folded.translate(_NO_SIGNS) if folded.isascii() else "".join(filter(str.isalnum, folded))
    return bare or folded


def _read() -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, Mapping[str, _Family]]]:
    """By column: where a name leads in any case (folded to folded), and the family of each bare name."""
    raw = json.loads(Path(__file__).with_name("aliases.json").read_text(encoding="utf-8"))
    leads: dict[str, Mapping[str, str]] = {}
    related: dict[str, Mapping[str, _Family]] = {}
    for column, names in raw.items():
        to: dict[str, str] = {}
        family_of: dict[str, _Family] = {}
        for first, others in names.items():
            yields = [fold(name) for name in others.get("yields", ())]
            to |= dict.fromkeys(yields, fold(first))
            family = tuple(dict.fromkeys(_bare(fold(name)) for name in (first, *others.get("also", ()), *yields)))
            family_of |= dict.fromkeys(family, family)
        leads[column], related[column] = MappingProxyType(to), MappingProxyType(family_of)
    return MappingProxyType(leads), MappingProxyType(related)


_LEADS, _FAMILIES = _read()


def group_key(column: str, value: str) -> str:
    """The value as past results are grouped by it: folded, a yielding name as the one that it yields to."""
    folded = fold(value)
    return _LEADS[column].get(folded, folded)


@lru_cache(_REMEMBERED)
def same_name(column: str, value: str) -> str:
    """What all names of one thing have in common, whichever of them a set knows; signs are seen through in aliases."""
    name = fold(value)
    return _FAMILIES[column].get(_bare(name), (name,))[0]


class KnownNames:
    """The group keys of one column that somebody knows, and the way to them from other names of the same."""

    def __init__(self, column: str, keys: Iterable[str]) -> None:
        self._column, self._families = column, _FAMILIES[column]
        self._keys = frozenset(keys)
        self._bare: dict[str, str] = {}
        for key in sorted(self._keys):
            self._bare.setdefault(_bare(key), key)

    def key(self, value: str) -> str:
        """The group key that is known: the value's own, else one that means the same; else its own."""
        key = group_key(self._column, value)
        if key in self._keys:
            return key
        own = _bare(key)
        for name in (own, *self._families.get(own, ())):
            if name in self._bare:
                return self._bare[name]
        return key


class Encoder:
    """Codes of one column in one model set: the position in its list of classes."""

    def __init__(self, classes: Sequence[str], column: str) -> None:
        """Make one.

        Args:
            classes: as the metadata lists them; position = code.
            column: of CATEGORICAL.

        Classes that differ only by case keep a code each for their exact spelling; any other goes to the first.
        """
        self.classes = tuple(classes)
        self._codes: dict[str, int] = {}
        self._exact: dict[str, int] = {}
        for code, name in enumerate(self.classes):
            if self._codes.setdefault(fold(name), code) != code:
                self._exact.setdefault(name, code)
        self._codes |= {name: self._codes[to] for name, to in _LEADS[column].items() if to in self._codes}
        self._known = KnownNames(column, self._codes)
        plain = [name.strip().casefold() for name in self.classes]
        unknown = next((plain.index(name) for name in _UNKNOWN if name in plain), None)
        self._unknown = float("nan") if unknown is None else float(unknown)
        # Remembers no method of its own: a set that serves no more would wait for the garbage collector.
        self.find = lru_cache(_REMEMBERED_PER_ENCODER)(
            partial(_found, self._codes, self._exact, self._known, self._unknown)
        )

    @property
    def has_unknown(self) -> bool:
        """Whether there is a class for values that it never saw."""
        return self._unknown == self._unknown

    @property
    def spellings(self) -> tuple[str, ...]:
        """Classes that differ from an earlier one by case or blanks only."""
        return tuple(self._exact)

    def code(self, value: str) -> float:
        """The value's code; the class for unknown values where there is one, else NaN (missing)."""
        return self.find(value)[0]

    def knows(self, value: str) -> bool:
        """Whether the value has a code of its own."""
        return self.find(value)[1]

    def canonical(self, value: str) -> str:
        """The class's own spelling.

        Raises:
            KeyError: the value is not known.
        """
        return self.classes[self._exact.get(value, self._codes[_key(self._codes, self._known, value)])]


def _key(codes: Mapping[str, int], known: KnownNames, value: str) -> str:
    folded = fold(value)
    return folded if folded in codes else known.key(value)


def _found(
    codes: Mapping[str, int], exact: Mapping[str, int], known: KnownNames, unknown: float, value: str
) -> tuple[float, bool]:
    """Code and knowledge of a value at once."""
    code = codes.get(_key(codes, known, value))
    return exact.get(value, unknown if code is None else code), code is not None

"""How a request wants to be answered: `dry_run` and `explain`, in its query or among the fields of its body."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from pikkit.bets.shown import named
from pikkit.errors import InvalidBet, InvalidRequest
from pikkit.grading.grader import Options

__all__ = ["OPTIONS", "options_of", "refuse_near_misses", "refuse_repeated"]

OPTIONS = ("dry_run", "explain")
_NEAR = 0.65  # difflib's ratio: `dry`, `dryruns` and `explanation` are meant, `line` is not
_LONGEST_NEAR = 40
_MOST_COMPARED = 1000  # 10 ms; a body has room for a hundred times as many
_MOST_NAMED = 5
_SHOWN = 40
_ANSWERS = {"true": True, "false": False}


def options_of(
    plain: Options,
    query: Iterable[tuple[str, str]],
    fields: dict[str, Any],
    *,
    known: frozenset[str] = frozenset(),
) -> Options:
    """The options of a request.

    Args:
        plain: where it asks for nothing; if that names no unknown fields, it is silent about unknown parameters, too.
        query: its parameters, in their order.
        fields: of its body; the options are taken out of it.
        known: query parameters beside the options that mean something here.

    Raises:
        InvalidRequest: an option is neither true nor false, is given twice, or its name is nearly right.
    """
    chosen: dict[str, bool] = {}
    unknown: list[str] = []
    for name, value in query:
        if name in OPTIONS:
            if name in chosen:
                raise InvalidRequest(f"{name} is given twice: send it once", field=name)
            chosen[name] = _truth(name, value)
        elif name not in known:
            _refuse_near_miss(name)
            unknown.append(name)
    for name in OPTIONS:
        if name in fields:
            chosen[name] = _truth(name, fields.pop(name)) or chosen.get(name, False)
    return replace(
        plain,
        explain=chosen.get("explain", False),
        dry_run=chosen.get("dry_run", False) or plain.dry_run,
        warnings=(_unknown(unknown),) if unknown and plain.names_unknown_fields else (),
    )


def refuse_repeated(query: Iterable[tuple[str, str]], known: Collection[str]) -> None:
    """Refuse parameters that mean something and are given twice, as a body's names are.

    Raises:
        InvalidBet: names the first one.
    """
    given: set[str] = set()
    for name, _ in query:
        if name in given and name in known:
            raise InvalidBet(f"{name} is given twice: send it once", field=name)
        given.add(name)


def refuse_near_misses(fields: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse names that are nearly an option.

    Raises:
        InvalidRequest: names the right one; it must not raise alerts without a word.
    """
    for name in islice((name for name in fields if name not in known), _MOST_COMPARED):
        _refuse_near_miss(name)


def _refuse_near_miss(name: str) -> None:
    if len(name) > _LONGEST_NEAR:
        return
    plain = "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())
    for option in OPTIONS:
        if difflib.SequenceMatcher(None, plain, option.replace("_", "")).ratio() >= _NEAR:
            raise InvalidRequest(f"{name[:_SHOWN]!r} is not a parameter: did you mean {option}?", field=option)


def _truth(name: str, value: object) -> bool:
    answer = _ANSWERS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(answer, bool):
        shown = repr(value) if isinstance(value, str | int | float) else type(value).__name__
        raise InvalidRequest(f"{name}={shown[:_SHOWN]} is neither true nor false: send one of them", field=name)
    return answer


def _unknown(names: list[str]) -> str:
    shown = ", ".join(named(name) for name in sorted(names)[:_MOST_NAMED])
    return f"unknown query parameters are ignored: {shown}"

"""A request as handlers see it, and the options that it carries."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from pikkit.bets.shown import named
from pikkit.errors import InvalidRequest
from pikkit.grading.grader import Options

__all__ = ["CALLER", "OPTIONS", "Request", "refuse_near_misses"]

CALLER = "pikkit.caller"  # of an ASGI scope: names the API key, without telling it

OPTIONS = ("dry_run", "explain")
_NEAR = 0.65  # difflib's ratio: `dry`, `dryruns` and `explanation` are meant, `line` is not
_MOST_NAMED = 5
_SHOWN = 40
_ANSWERS = {"true": True, "false": False}
_PLAIN: Mapping[bool, Options] = {answer: Options(raises_alerts=answer) for answer in (True, False)}
_DRY: Mapping[bool, Options] = {answer: Options(raises_alerts=answer, dry_run=True) for answer in (True, False)}


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler needs of an HTTP request. A HEAD is a dry run of the GET."""

    path: str
    body: bytes = b""
    query: bytes = b""
    headers: Mapping[bytes, bytes] | None = None  # by lower-case name
    raises_alerts: bool = False
    dry: bool = False
    caller: str = ""  # names the API key, without telling it

    def header(self, name: bytes) -> str:
        """A header field; empty when it was not sent."""
        return (self.headers or {}).get(name, b"").decode("latin-1")

    def parameters(self) -> dict[str, str]:
        """The query parameters, options among them; of one that is given twice, the last."""
        return dict(QueryParams(self.query))

    def options(self, fields: object = None, *, known: Iterable[str] = (), legacy: bool = False) -> Options:
        """How the request wants to be answered: what its query or the `fields` of its body asks for.

        Args:
            fields: the decoded body; the options are taken out of it, if it is an object.
            known: query parameters beside the options that mean something here.
            legacy: what is unknown is ignored without a word.

        Raises:
            InvalidRequest: an option is neither true nor false, is given twice, or its name is nearly right.
        """
        given = fields if isinstance(fields, dict) else {}
        if not self.query and given.keys().isdisjoint(OPTIONS) and not legacy:
            plain = (_DRY if self.dry else _PLAIN)[self.raises_alerts]
            return replace(plain, caller=self.caller) if self.caller else plain
        chosen: dict[str, bool] = {}
        unknown: list[str] = []
        for name, value in QueryParams(self.query).multi_items():
            if name in OPTIONS:
                if name in chosen:
                    raise InvalidRequest(f"{name} is given twice: send it once", field=name)
                chosen[name] = _truth(name, value)
            elif name not in known:
                _refuse_near_miss(name)
                unknown.append(name)
        for name in OPTIONS:
            if name in given:
                chosen[name] = _truth(name, given.pop(name)) or chosen.get(name, False)
        warnings = () if legacy or not unknown else (_unknown(unknown),)
        return Options(
            explain=chosen.get("explain", False),
            dry_run=chosen.get("dry_run", False) or self.dry,
            raises_alerts=self.raises_alerts,
            caller=self.caller,
            names_unknown_fields=not legacy,
            warnings=warnings,
        )


def refuse_near_misses(fields: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse names that are nearly an option.

    Raises:
        InvalidRequest: names the right one; it must not raise alerts without a word.
    """
    for name in fields.keys() - set(known):
        _refuse_near_miss(name)


def _refuse_near_miss(name: str) -> None:
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

"""A request as handlers see it: its parameters, its options, its JSON body.

Bodies are read strictly: a name given twice is refused, and of a batch only the bets that can't be decoded are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, product
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
from pydantic_core import from_json

from pikkit.bets.shown import field_at
from pikkit.errors import InvalidBet, InvalidRequest
from pikkit.grading.grader import Options
from pikkit.web.options import OPTIONS, options_of

__all__ = ["CALLER", "Request", "read_batch_body", "read_bet_body", "read_field", "read_json"]

CALLER = "pikkit.caller"  # of an ASGI scope: names the API key, without telling it

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_IN_ENVELOPE = 2  # depth
_MOST_TOKENS = 200_000  # 0.05 s; a body of brackets alone has five times as many
_NAME = b'":'  # ends a name; where a text has it, so has what is written of the decoded body,
_QUOTE = rb"\u0022"  # unless the quote is sent like this
_BLANK_BEFORE_COLON = re.compile(rb'"\s+:')
_SHOWN = 200
_CHOSEN = b"x-deployment-chosen"  # set by the load balancer, which lets none of a client's through
_PLAIN: Mapping[tuple[bool, bool, bool, bool], Options] = {
    (alerts, dry, chosen, named): Options(raises_alerts=alerts, dry_run=dry, chosen=chosen, names_unknown_fields=named)
    for alerts, dry, chosen, named in product((True, False), repeat=4)
}


@dataclass(frozen=True)
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

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The query parameters in their order, options among them.

        As `urllib.parse.parse_qsl` reads them with blank values.
        """
        text = self.query.decode("latin-1").replace("+", " ")
        pairs = [(name, value) for name, _, value in [part.partition("=") for part in text.split("&") if part]]
        return [(unquote(name), unquote(value)) for name, value in pairs] if "%" in text else pairs

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The same by name; of one that is given twice, the last."""
        return dict(self.pairs)

    def bet(self) -> tuple[Any, Options]:
        """The bet in the body, and how the request wants to be answered.

        Raises:
            InvalidRequest: the body is not JSON, or an option is wrong.
            InvalidBet: the body gives a name twice.
        """
        data = read_bet_body(self.body)
        return data, self.options(data)

    def options(self, fields: object = None, *, known: frozenset[str] = frozenset(), legacy: bool = False) -> Options:
        """How the request wants to be answered: what its query or the `fields` of its body asks for.

        Args:
            fields: the decoded body; the options are taken out of it, if it is an object.
            known: query parameters beside the options that mean something here.
            legacy: what is unknown is ignored without a word.

        Raises:
            InvalidRequest: an option is neither true nor false, is given twice, or its name is nearly right.
        """
        given = fields if isinstance(fields, dict) else {}
        plain = _PLAIN[self.raises_alerts, self.dry, _CHOSEN in (self.headers or ()), not legacy]
        if self.caller:
            plain = replace(plain, caller=self.caller)
        if given.keys().isdisjoint(OPTIONS) and (not self.query or self.parameters.keys() <= known):
            return plain
        return options_of(plain, self.pairs, given, known=known)


def read_json(body: bytes) -> Any:
    """The decoded body; NaN and Infinity are let through, since they are refused where a field has them.

    Raises:
        InvalidRequest: the body is not JSON; the message says where.
    """
    try:
        return from_json(body, allow_inf_nan=True, cache_strings="keys")  # checked texts are new ones anyway
    except ValueError as error:
        if body.startswith(_BOM):
            raise InvalidRequest("the body begins with a byte order mark: send UTF-8 without one") from None
        if body.startswith(_GZIP):
            raise InvalidRequest("the body is compressed: send plain JSON") from None
        raise InvalidRequest(f"the body is not JSON ({error}): send a JSON object as UTF-8") from None


def read_bet_body(body: bytes) -> Any:
    """The decoded body of one bet.

    Raises:
        InvalidRequest: it is not JSON.
        InvalidBet: it gives a name twice.
    """
    data = read_json(body)
    if _may_repeat(body, [data]):
        _refuse_repeated(body)
    return data


def read_field(name: str, text: str) -> Any:
    """The value of a bet's field, from its JSON.

    Raises:
        InvalidBet: it is not JSON, or gives a name twice.
    """
    body = text.encode()
    try:
        data = read_json(body)
    except InvalidRequest as error:
        told = error.message.replace("the body", name, 1).replace("a JSON object as UTF-8", "a JSON list")
        raise InvalidBet(told, field=name) from None
    if _may_repeat(body, [data]):
        _refuse_repeated(body, name)
    return data


def read_batch_body(body: bytes) -> tuple[Any, dict[int, InvalidBet]]:
    """The decoded body of a batch, and the errors of those bets in it that can't be decoded, by their index.

    In the place of such a bet stands the beginning of its text.

    Raises:
        InvalidRequest: the body as a whole is not JSON.
    """
    try:
        data = read_json(body)
    except InvalidRequest as error:
        return _by_bet(body, error)
    bets = data.get("bets") if isinstance(data, dict) else None
    doubtful = isinstance(bets, list) and _may_repeat(body, [data, *bets], partial(_count, body))
    if doubtful and _repeated(body) is not None:
        return _by_bet(body, InvalidRequest("bets are given twice: send one list", field="bets"))
    return data, {}


def _by_bet(body: bytes, error: InvalidRequest) -> tuple[Any, dict[int, InvalidBet]]:
    """Decode each bet by itself; `error` is raised where the bets can't be told apart."""
    parts = _split(body)
    if parts is None:
        raise error
    begin, texts, end = parts
    data = read_json(begin + end)
    if _repeated(begin + end) is not None:
        raise error
    errors: dict[int, InvalidBet] = {}
    for index, text in enumerate(texts):
        try:
            data["bets"].append(read_bet_body(text))
        except (InvalidRequest, InvalidBet) as cause:
            errors[index] = (
                cause
                if isinstance(cause, InvalidBet)
                else InvalidBet(cause.message.replace("the body", "this bet").replace("a JSON object", "an object"))
            )
            data["bets"].append(text[:_SHOWN].decode("utf-8", "replace"))
    return data, errors


def _split(body: bytes) -> tuple[bytes, list[bytes], bytes] | None:
    """What stands before the first bet, the text of each, and what follows the last; None: no list of bets."""
    depth, begin, start = 0, -1, 0
    name = b""
    texts: list[bytes] = []
    for count, token in enumerate(_TOKEN.finditer(body)):
        if count > _MOST_TOKENS:
            return None
        mark = token[0]
        if mark in (b"]", b"}"):
            depth -= 1
            if begin >= 0 and depth == 1:
                texts.append(body[start : token.start()])
                whole = all(text.strip() for text in texts)
                return (body[:begin], texts, body[token.start() :]) if whole else None
        elif mark in (b"[", b"{"):
            depth += 1
            if mark == b"[" and depth == _IN_ENVELOPE and name == b'"bets"':
                begin = start = token.end()
        elif mark == b"," and depth == _IN_ENVELOPE and begin >= 0:  # between two bets
            texts.append(body[start : token.start()])
            start = token.end()
        elif depth == 1 and begin < 0:
            name = mark
    return None


def _may_repeat(body: bytes, objects: Sequence[Any], count: Callable[[bytes], int] | None = None) -> bool:
    """Whether the body may hold more names than were decoded into `objects` and what they hold. Fast, errs to yes.

    Args:
        body: the JSON.
        objects: decoded from it; the first of them holds all others.
        count: how often a character stands in the body, if somebody knows a quicker way.
    """
    count = count or body.count
    braces = count(b"{")
    sides: list[Any] = []
    plain = set(map(type, objects)) == {dict}
    if plain and braces > len(objects):
        markets = [sides for one in objects if type(sides := one.get("market_prices")) is list]
        sides = list(chain.from_iterable(markets))
        plain = set(map(type, sides)) == {dict}
    if plain and braces == len(objects) + len(sides):  # none holds any more
        names = sum(map(len, chain(objects, sides)))
    elif _QUOTE in body:
        return True
    else:
        try:
            names = orjson.dumps(objects[0]).count(_NAME)
        except TypeError:  # an integer beyond 64 bits
            return True
    return count(b":") != names and (body.count(_NAME) != names or _BLANK_BEFORE_COLON.search(body) is not None)


def _count(body: bytes, mark: bytes) -> int:
    """As `bytes.count`, which takes three times as long where the one character comes often."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == mark[0]))


class _Pairs(list[tuple[str, Any]]):
    """An object, with every name that it gives."""


def _repeated(body: bytes) -> tuple[int | str, ...] | None:
    """Where some object of the body gives a name twice."""
    return _repeated_in(json.loads(body, object_pairs_hook=_Pairs))


def _repeated_in(data: object) -> tuple[int | str, ...] | None:
    inside: Iterable[tuple[int | str, Any]] = ()
    if isinstance(data, _Pairs):
        names = [name for name, _ in data]
        if len(set(names)) < len(names):
            return (next(name for name in names if names.count(name) > 1),)
        inside = data
    elif isinstance(data, list):
        inside = enumerate(data)
    for place, value in inside:
        found = _repeated_in(value)
        if found is not None:
            return (place, *found)
    return None


def _refuse_repeated(body: bytes, *where: str) -> None:
    place = _repeated(body)
    if place is not None:
        field = field_at([*where, *place])
        raise InvalidBet(f"{field} is given twice: send it once", field=field)

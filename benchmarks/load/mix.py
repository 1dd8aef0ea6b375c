"""Thousands of different bets as the field sends them, drawn by the training's own generator, as HTTP requests.

A benchmark of one and the same bet measures caches. The shares below are those of a real export: parlays come without
a league, one bet in five knows its closing line value, prices are written in three formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any
from urllib.parse import urlencode

import numpy as np

from pikkit.bets.odds import american_to_decimal, decimal_to_american
from training.settled.simulate import simulate

__all__ = ["BET", "KINDS", "MARK", "bets", "get", "one", "queries", "requests"]

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
KINDS = ("one bet", "field", "prices", "unseen")
"""The same bet each time; the field's mix; straight bets that all come with `market_prices`; names never seen.

Besides there is `unpriced`: the very bets of `prices`, without that field.
"""

MARK = "@@@@@@@@@"
"""In names of `unseen`: whoever sends the request puts a running number of as many digits here."""

BETS, BATCHES = 5000, 200
_PARLAYS, _CLV, _UNKNOWN, _PRICED = 0.14, 0.24, 0.03, 0.05
_FORMATS: Mapping[str, float] = {"american": 0.85, "text": 0.05, "decimal": 0.07, "fractional": 0.03}
_MARGIN = 1.045
_NAMES = ("sport", "league", "market", "institution_name")


@cache
def bets(kind: str, count: int = BETS, seed: int = 7) -> list[dict[str, Any]]:
    """So many bets of a kind as a client writes them, the same for the same seed."""
    if kind == "one bet":
        return [BET] * count
    if kind == "unpriced":
        return [{name: value for name, value in bet.items() if name != "market_prices"} for bet in bets("prices")]
    random = np.random.default_rng(seed)
    drawn = simulate(2 * count, seed).bets
    parlay = np.array([name == "parlay" for name in drawn.bet_type])
    parlays = 0 if kind == "prices" else round(_PARLAYS * count)
    rows = np.concatenate([np.flatnonzero(parlay)[:parlays], np.flatnonzero(~parlay)[: count - parlays]])
    random.shuffle(rows)
    formats = random.choice(list(_FORMATS), count, p=list(_FORMATS.values()))
    unknown, priced, clv = random.random(count), random.random(count), random.random(count)
    made = []
    for i, row in enumerate(rows.tolist()):
        bet: dict[str, Any] = {name: values[row] for name, values in drawn.categorical()}
        write = _writer(str(formats[i]))
        bet["odds"] = write(float(drawn.odds[row]))
        bet["is_live"] = bool(drawn.is_live[row])
        if formats[i] in ("decimal", "fractional"):
            bet["odds_format"] = str(formats[i])
        if clv[i] < _CLV:
            bet["clv_percentage"] = round(float(random.normal(-3, 4)), 2)
        if parlay[row]:
            del bet["league"]
        elif kind == "prices" or (kind == "field" and priced[i] < _PRICED):
            bet |= _market(float(drawn.odds[row]), write, i)
        if kind == "unseen":
            bet |= {name: f"{name} {MARK}" for name in _NAMES}
        elif kind == "field" and unknown[i] < _UNKNOWN and not parlay[row]:
            bet[_NAMES[i % len(_NAMES)]] = f"New {i}"
        made.append(bet)
    return made


def requests(kind: str, path: str, *, batch: int = 0) -> list[bytes]:
    """The bets of a kind as POST requests to `path`; with `batch`, so many bets in each of 200."""
    if kind == "one bet":
        return [one(path, {"bets": [BET] * batch} if batch else BET)]
    drawn = bets(kind)
    if not batch:
        return [one(path, bet) for bet in drawn]
    step = (len(drawn) - batch) // BATCHES
    return [one(path, {"bets": drawn[i * step : i * step + batch]}) for i in range(BATCHES)]


def queries(kind: str, path: str) -> list[bytes]:
    """The same as GET requests; the legacy route needs a league."""
    made = []
    for bet in bets(kind):
        fields = {"league": "None", **bet} | {"is_live": json.dumps(bet["is_live"])}
        given = {name: json.dumps(value) if isinstance(value, list) else value for name, value in fields.items()}
        made.append(get(f"{path}?{urlencode(given)}"))
    return made


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode()


def one(path: str, body: object) -> bytes:
    """A POST request of this JSON, or of these bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def _writer(odds_format: str) -> Callable[[float], Any]:
    """How a price in American odds is written in this format."""
    if odds_format == "text":
        return lambda odds: f"{odds:+.0f}"
    if odds_format == "decimal":
        return lambda odds: round(float(american_to_decimal(odds)), 3)
    if odds_format == "fractional":
        return _fraction
    return int


def _fraction(odds: float) -> str:
    odd = Fraction(int(odds), 100) if odds > 0 else Fraction(100, -int(odds))
    return f"{odd.numerator}/{odd.denominator}"


def _market(odds: float, write: Callable[[float], Any], number: int) -> Mapping[str, Any]:
    """Both sides of a market with the usual margin, and which side the bet is on."""
    other = min(max(_MARGIN - 1 / float(american_to_decimal(odds)), 0.03), 0.97)
    against = float(np.round(decimal_to_american(1 / other)))
    against = against if abs(against) >= 100 else 100.0
    sides = [
        {"selection": f"Home {number}", "odds": write(odds)},
        {"selection": f"Away {number}", "odds": write(against)},
    ]
    return {"event": f"Away {number} @ Home {number}", "selection": f"Home {number}", "market_prices": sides}

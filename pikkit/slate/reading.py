"""A slate in the form of The Odds API (v4) to bets: each outcome at each book, against the other books on its line.

A slate is a list of games `{id, sport_key, sport_title, commence_time, home_team, away_team, bookmakers: [{key, title,
last_update, markets: [{key, last_update, outcomes: [{name, price, point?, description?}]}]}]}`; prices are American or
decimal, times ISO 8601 or seconds since the epoch. What can't be read costs itself alone, and no outcome beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, TypeGuard

from pikkit.bets.odds import LEAST_AMERICAN
from pikkit.bets.prices import CONTROLS, MAX_BOOKS, MAX_TEXT
from pikkit.bets.shown import named
from pikkit.bets.times import FIRST_YEAR, LAST_YEAR, utc_text
from pikkit.errors import ModelError

__all__ = ["Slate", "read_slate"]

_NO_PRICE_AMERICAN = 100_000  # what feeds send while a price is suspended
_NO_PRICE_DECIMAL = 1.001
_CONTROL = re.compile(f"[{CONTROLS}]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_FIRST_S, _LAST_S = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (FIRST_YEAR, LAST_YEAR + 1))
_SPORTS = {"americanfootball": "American Football", "icehockey": "Ice Hockey", "mma": "MMA"}
_MARKETS = {"h2h": "Moneyline", "h2h_3_way": "Moneyline", "spreads": "Spread", "totals": "Total Points"}
# What spreads and totals are called where points are not what counts.
_OF_SPORT = {
    "baseball": {"spreads": "Run Line", "totals": "Total Runs"},
    "icehockey": {"spreads": "Puck Line", "totals": "Total Goals"},
    "soccer": {"spreads": "Asian Handicap", "totals": "Total Goals"},
    "tennis": {"spreads": "Game Handicap", "totals": "Total Games"},
}


@dataclass(frozen=True)
class Slate:
    """Bets as the API takes them, market by market, and what was left out, with how many outcomes for each reason."""

    bets: Sequence[dict[str, Any]]
    left_out: Mapping[str, int]

    @property
    def outcomes(self) -> int:
        """All that the file held."""
        return len(self.bets) + sum(self.left_out.values())


@dataclass
class _Market:
    """One market of one game: its sides at each book."""

    books: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    updated: dict[str, str] = field(default_factory=dict)


def read_slate(games: object) -> Slate:
    """The bets of a decoded slate, or of one game, as the API answers for props.

    Raises:
        ModelError: it is no list of games.
    """
    if isinstance(games, dict):
        games = [games]
    if not isinstance(games, list) or not all(isinstance(game, dict) and "bookmakers" in game for game in games):
        raise ModelError("this is no slate: a list of games, each with its `bookmakers`, is needed (The Odds API, v4)")
    left_out: Counter[str] = Counter()
    odds_format = _format(games)
    taken_at = _newest(games)
    bets = [bet for game in games for bet in _bets_of(game, odds_format, taken_at, left_out)]
    return Slate(bets, left_out)


def _format(games: Sequence[Mapping[str, Any]]) -> str:
    prices = [
        outcome.get("price")
        for game in games
        for book in _objects(game["bookmakers"])
        for market in _objects(book.get("markets"))
        for outcome in _objects(market.get("outcomes"))
    ]
    numbers = [abs(price) for price in prices if _is_number(price)]
    american = sum(price >= LEAST_AMERICAN for price in numbers)
    return "american" if 2 * american >= len(numbers) else "decimal"  # a few are wrong, not most


def _newest(games: Sequence[Mapping[str, Any]]) -> str:
    """When the slate was taken: its newest update."""
    return max(
        (
            _update(book, market)
            for game in games
            for book in _objects(game["bookmakers"])
            for market in _objects(book.get("markets"))
        ),
        default="",
    )


def _update(book: Mapping[str, Any], market: Mapping[str, Any]) -> str:
    return _utc(market.get("last_update")) or _utc(book.get("last_update"))


def _utc(time: object) -> str:
    """In a form in which the later one is the greater text; empty where it is no time that bets can have."""
    try:
        text = isinstance(time, str) and _TIME.fullmatch(time)
        seconds = datetime.fromisoformat(text[0]).timestamp() if text else time if _is_number(time) else nan
    except ValueError:
        return ""
    return utc_text(seconds, "seconds") if _FIRST_S <= seconds < _LAST_S else ""


def _bets_of(game: Mapping[str, Any], odds_format: str, seen: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    home, away = str(game.get("home_team") or ""), str(game.get("away_team") or "")
    sport = str(game.get("sport_key") or "").partition("_")[0]
    starts_at = _utc(game.get("commence_time"))
    shared = {
        "sport": _SPORTS.get(sport, sport.replace("_", " ").title()),
        "league": str(game.get("sport_title") or "") or None,
        "event": f"{away} @ {home}",
        "starts_at": starts_at or game.get("commence_time"),
        "is_live": "" < starts_at < seen,
        "odds_format": odds_format,
        "placed_at": seen or None,
        "client_ref": game.get("id"),
    }
    markets: dict[tuple[Any, ...], _Market] = {}
    for book in _objects(game["bookmakers"]):
        title = str(book.get("title") or book.get("key") or "")
        for market in _objects(book.get("markets")):
            updated = _update(book, market)
            for outcome in _objects(market.get("outcomes")):
                side = _side(outcome)
                reason = _unusable(title, market, outcome, side["selection"], odds_format)
                if reason:
                    left_out[reason] += 1
                    continue
                key = _key(str(market["key"]), sport, outcome, home)
                sides = markets.setdefault(key, _Market()).books.setdefault(title, [])
                if any(side["selection"] == other["selection"] for other in sides):
                    left_out["the same outcome twice at one book"] += 1
                    continue
                sides.append(side)
                markets[key].updated[title] = updated
    for (name, *_), found in markets.items():
        yield from _of_market({**shared, "market": name}, found)


def _unusable(  # noqa: PLR0911 - a reason each
    book: str, market: Mapping[str, Any], outcome: Mapping[str, Any], selection: str, odds_format: str
) -> str | None:
    price, key = outcome.get("price"), str(market.get("key") or "")
    if not _is_text(book):
        return "a sportsbook without a name that can be read"
    if not key or key.endswith("_lay") or key == "outrights":
        return f"market {named(key) or 'without a key'}: not graded"
    if not _is_number(price) or not outcome.get("name"):
        return "no name or price"
    if not _is_text(selection):
        return "a name that can't be read"
    if abs(price) >= _NO_PRICE_AMERICAN if odds_format == "american" else price <= _NO_PRICE_DECIMAL:
        return "suspended price"
    if odds_format == "american" and abs(price) < LEAST_AMERICAN:
        return "a price that is not American, as most are"
    if "spread" in key and outcome.get("point") is None:
        return "a spread without a line"
    return None if outcome.get("point") is None or _is_number(outcome["point"]) else "a line that is no number"


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_text(value: str) -> bool:
    text = value.strip()
    return 0 < len(text) <= MAX_TEXT and not _CONTROL.search(text)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _key(market: str, sport: str, outcome: Mapping[str, Any], home: str) -> tuple[Any, ...]:
    """Outcomes with the same key are sides of one market: its name, whom it is about, its line for the home side."""
    plain = market.removeprefix("alternate_").removesuffix("_alternate")
    name = {**_MARKETS, **_OF_SPORT.get(sport, {})}.get(plain) or plain.replace("_", " ").title()
    about = str(outcome.get("description") or "")
    if outcome.get("point") is None:
        return name, about, None
    point = float(outcome["point"])
    if "spread" in plain and outcome.get("name") != home:
        point = -point + 0.0  # -0 is 0
    return name, about, point


def _side(outcome: Mapping[str, Any]) -> dict[str, Any]:
    about = outcome.get("description")
    name, point = outcome.get("name"), outcome.get("point")
    side = {"selection": f"{about} {name}" if about else str(name), "odds": outcome.get("price")}
    return {**side, "line": float(point)} if _is_number(point) else side


def _of_market(shared: Mapping[str, Any], market: _Market) -> Iterator[dict[str, Any]]:
    # As many sides as most books have: one that adds a draw, or lacks a side, is not the measure.
    sizes = Counter(len(sides) for sides in market.books.values() if len(sides) > 1)
    full = max(sizes, key=lambda size: (sizes[size], size), default=0)
    whole = {
        book: {"book": book, "prices": sides, **({"at": market.updated[book]} if market.updated[book] else {})}
        for book, sides in market.books.items()
        if len(sides) == full
    }
    newest = sorted(whole, key=lambda book: market.updated[book], reverse=True)
    for book, sides in market.books.items():
        references = [whole[other] for other in newest if other != book][:MAX_BOOKS]
        for side in sides:
            bet = {**shared, "institution_name": book, **side}
            if book in whole:
                bet["market_prices"] = sides
            if references:
                bet["reference_prices"] = references
            yield bet

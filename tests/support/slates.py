"""Slates in the form of The Odds API, as dirty as real ones are."""

import random
from typing import Any

MARKETS = ("h2h", "spreads", "totals")


def slate(games: int = 15, books: int = 25, *, seed: int = 1, dirt: bool = False) -> list[dict[str, Any]]:
    """Games with three two-way markets at every book; `dirt` adds what real answers have."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    made = []
    for number in range(games):
        game: dict[str, Any] = {
            "id": f"g{number}",
            "sport_key": "basketball_nba",
            "sport_title": "NBA",
            "commence_time": "2030-01-05T00:00:00Z",
            "home_team": f"Home {number}",
            "away_team": f"Away {number}",
            "bookmakers": [_book(number, i, chance, dirt=dirt) for i in range(books)],
        }
        made.append(game)
    return made


def _book(game: int, number: int, chance: random.Random, *, dirt: bool) -> dict[str, Any]:
    title = "Pinnacle" if number == 0 else f"Book {number}"
    minute = chance.randrange(3)
    markets = [_market(key, game, chance, f"2030-01-04T20:{minute:02}:00Z") for key in MARKETS]
    if dirt:
        _soil(markets, game, number, chance)
    return {"key": title.lower(), "title": title, "last_update": "2030-01-04T20:00:00Z", "markets": markets}


def _market(key: str, game: int, chance: random.Random, at: str) -> dict[str, Any]:
    names = ("Over", "Under") if key == "totals" else (f"Home {game}", f"Away {game}")
    points = {"h2h": (None, None), "spreads": (-3.5, 3.5), "totals": (220.5, 220.5)}[key]
    tilt = chance.randrange(-6, 7)
    outcomes = [
        {"name": name, "price": price, **({} if point is None else {"point": point})}
        for name, price, point in zip(names, (-110 + tilt, -110 - tilt), points, strict=True)
    ]
    return {"key": key, "last_update": at, "outcomes": outcomes}


def _soil(markets: list[dict[str, Any]], game: int, number: int, chance: random.Random) -> None:
    moneyline, spread, total = (market["outcomes"] for market in markets)
    if number % 5 == 1:  # another line than the rest
        spread[0]["point"], spread[1]["point"] = -4.0, 4.0
    if number % 7 == 2:
        moneyline[chance.randrange(2)]["price"] = -100_000  # suspended
    if number % 6 == 3:
        total.pop()  # one side only
    if number % 8 == 4:
        spread += [dict(spread[0], point=3.5, price=-400), dict(spread[1], point=-3.5, price=300)]  # alternates
        spread.append(dict(spread[0]))  # the same twice
    if number % 9 == 5:
        markets[1]["last_update"] = "2030-01-04T17:00:00Z"  # hours old
        markets.append({"key": "h2h_lay", "outcomes": [{"name": f"Home {game}", "price": 120}]})
    if number % 10 == 6:
        spread[0].pop("point", None)
        moneyline.append({"name": "Draw", "price": 900})

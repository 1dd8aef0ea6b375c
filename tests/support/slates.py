"""Slates in the form of The Odds API, as dirty as real ones are."""

import random
from collections.abc import Mapping, Sequence
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


def _changed(**changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A slate of two games with three books; what is given is changed in the first `book`, `market` or `outcome`."""
    games = slate(2, 3)
    book = games[0]["bookmakers"][1]
    market = book["markets"][1]
    for place, values in changes.items():
        {"game": games[0], "book": book, "market": market, "outcome": market["outcomes"][0]}[place].update(values)
    return games


def _game(*books: tuple[str, Sequence[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """One with these markets at each book."""
    return {
        "id": "g",
        "sport_key": "soccer_epl",
        "sport_title": "EPL",
        "commence_time": "2030-01-05T00:00:00Z",
        "home_team": "Arsenal",
        "away_team": "Spurs",
        **more,
        "bookmakers": [{"key": title.lower(), "title": title, "markets": markets} for title, markets in books],
    }


def _offer(key: str, *outcomes: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    """A market of (name, price[, point[, description]])."""
    names = ("name", "price", "point", "description")
    return {"key": key, **more, "outcomes": [dict(zip(names, outcome, strict=False)) for outcome in outcomes]}


_PROPS = [
    _offer(
        "player_points",
        *((side, 1.9, 20.5, who) for who in ("LeBron James", "Jayson Tatum") for side in ("Over", "Under")),
    )
]
_THREE = _offer("h2h", ("Arsenal", 2.1), ("Spurs", 3.6), ("Draw", 3.4), last_update="2030-01-04T20:00:00Z")
_TWO = _offer("h2h", ("Arsenal", 1.6), ("Spurs", 2.4))
_ODD = _offer("h2h", ("Arsenal", "1.9"), ("", 2.0), ("Spurs", None), ("Draw", True), ("Arsenal", 1.0005))
_MAIN = _offer("spreads", ("Arsenal", -110, -1), ("Spurs", -110, 1), last_update="2030-01-04T20:05:00Z")
_EVEN = _offer(
    "alternate_spreads", ("Spurs", 120, 0), ("Arsenal", -140, 0), ("Spurs", -300, 2.5), ("Arsenal", 240, -2.5)
)

# What `python -m pikkit.slate` and the page read alike: by name the games, how many bets, how many outcomes left out.
SLATES: Mapping[str, tuple[Any, int, int]] = {
    "one game, as for props": (slate(1, 3)[0], 18, 0),
    "nothing": ([], 0, 0),
    "three books": (slate(games=2, books=3), 36, 0),
    "as dirty as real ones": (slate(3, 25, dirt=True), 444, 36),
    "more books than are sent": (slate(1, 45), 270, 0),
    "players, decimal": ([_game(("A", _PROPS), ("B", _PROPS), sport_key="basketball_nba")], 8, 0),
    "a draw at two books, none at a third": ([_game(("A", [_THREE]), ("B", [_THREE]), ("C", [_TWO]))], 8, 0),
    "what can't be read": (
        [_game(("A", [_ODD]), ("B", [_TWO, _offer("outrights", ("Arsenal", 5.0)), _offer("")]))],
        2,
        6,
    ),
    "odd shapes": (
        [
            _game(("A", [_offer("h2h", ("Arsenal", 2, None, 7), ("Spurs", 2, "x"), ("Draw", 2, 1.5))])),
            {"bookmakers": [1, {"markets": {"key": "h2h"}}, {"markets": [None, {"key": "h2h", "outcomes": "x"}]}]},
        ],
        2,
        1,
    ),
    "alternates, a line of 0": ([_game(("A", [_MAIN, _EVEN]), ("B", [_EVEN]), ("C", [_MAIN]))], 12, 0),
    "it has begun": (
        [_game(("A", [_MAIN]), commence_time="2030-01-04T19:00:00Z"), _game(("A", [_MAIN]), id=None)],
        4,
        0,
    ),
    "a price of 0": (_changed(outcome={"price": 0}), 35, 1),
    "a decimal price among American ones": (_changed(outcome={"price": 1.91}), 35, 1),
    "an update at no time": (_changed(market={"last_update": "yesterday"}), 36, 0),
    "an update beyond all times": (
        _changed(market={"last_update": 1e18}, book={"last_update": "9999-12-31T00:00:00Z"}),
        36,
        0,
    ),
    "seconds since the epoch": (
        _changed(market={"last_update": 1893790800}, game={"commence_time": 1893800800.5}),
        36,
        0,
    ),
    "another zone": (_changed(market={"last_update": "2030-01-04T23:30:00.25+03:00"}), 36, 0),
    "a name of two lines": (_changed(outcome={"name": "Home\n0"}), 35, 1),
    "a long name": (_changed(outcome={"description": "\U0001f3c0" * 195}), 35, 1),
    "a long name that fits": (_changed(outcome={"name": "\U0001f3c0" * 200}), 36, 0),
    "a blank name": (_changed(outcome={"name": " "}), 35, 1),
    "a book without a name": (_changed(book={"title": "", "key": None}), 30, 6),
    "names of sports": (
        [_game(("A", [_MAIN]), sport_key=key) for key in ("icehockey_nhl", "baseball_mlb", "constructor", "mma_x", "")],
        10,
        0,
    ),
}

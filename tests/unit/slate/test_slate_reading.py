from collections import Counter
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.prediction import Prediction
from pikkit.bets.reading import read_bets
from pikkit.errors import InvalidBet, ModelError
from pikkit.slate.grading import graded, read_shared
from pikkit.slate.reading import read_slate
from tests.support.slates import SLATES, slate


def test_an_outcome_is_graded_against_the_other_books_and_never_its_own() -> None:
    read = read_slate(slate(games=2, books=3))
    assert len(read.bets) == read.outcomes == 2 * 3 * 3 * 2
    bet = next(bet for bet in read.bets if bet["market"] == "Spread" and bet["institution_name"] == "Book 1")
    assert (bet["sport"], bet["league"], bet["event"]) == ("Basketball", "NBA", "Away 0 @ Home 0")
    assert (bet["selection"], bet["line"], bet["is_live"]) == ("Home 0", -3.5, False)
    assert [side["line"] for side in bet["market_prices"]] == [-3.5, 3.5]
    assert {book["book"] for book in bet["reference_prices"]} == {"Pinnacle", "Book 2"}


@pytest.mark.parametrize("seed", range(5))
def test_all_outcomes_are_bets_or_left_out_with_a_reason(seed: int) -> None:
    games = slate(games=3, books=25, seed=seed, dirt=True)
    held = sum(len(market["outcomes"]) for game in games for book in game["bookmakers"] for market in book["markets"])
    read = read_slate(games)
    assert read.outcomes == held
    assert set(read.left_out) == {
        "suspended price",
        "the same outcome twice at one book",
        "market h2h_lay: not graded",
        "a spread without a line",
    }


@pytest.mark.parametrize("name", SLATES)
def test_each_kind_of_slate_gives_its_bets(name: str) -> None:
    games, bets, left_out = SLATES[name]
    read = read_slate(games)
    assert (len(read.bets), sum(read.left_out.values())) == (bets, left_out)
    refused = [bet for bet in read_bets(list(read.bets)) if isinstance(bet, InvalidBet)]
    assert len(refused) == (2 if name == "names of sports" else 0)  # a game without a sport


@pytest.mark.parametrize(
    ("name", "field", "told"),
    [
        ("a price of 0", "odds_format", {"american"}),
        ("an update at no time", "placed_at", {"2030-01-04T20:01:00Z"}),
        ("seconds since the epoch", "starts_at", {"2030-01-04T23:46:40Z", "2030-01-05T00:00:00Z"}),
        ("seconds since the epoch", "placed_at", {"2030-01-04T21:00:00Z"}),
        ("another zone", "placed_at", {"2030-01-04T20:30:00Z"}),
    ],
)
def test_what_can_not_be_read_costs_no_other_outcome_anything(name: str, field: str, told: set[str]) -> None:
    assert {bet[field] for bet in read_slate(SLATES[name][0]).bets} == told


def test_sides_of_a_market_are_graded_together_however_many_bets_there_are() -> None:
    parts: list[list[object]] = []

    def predict(_models: object, bets: list[Bet], _now: float) -> list[dict[str, object]]:
        parts.append([(bet.event, bet.market, bet.institution_name, abs(bet.line or 0.0)) for bet in bets])
        return [
            {
                **dict.fromkeys(Prediction.__annotations__),
                "win_probability": 0.0,
                "expected_roi": 0.0,
                "edge": 0.0,
                "warnings": [],
            }
        ] * len(bets)

    games = slate(games=6)
    games[0]["bookmakers"][3]["markets"][0]["outcomes"].append({"name": "Draw", "price": 900})
    bets = read_slate(games).bets
    rows, refused = graded(bets, read_shared(bets, OddsLimits()), None, SimpleNamespace(predict=predict), 0.0)  # type: ignore[arg-type]
    assert (len(rows), refused) == (len(bets), Counter())
    assert len(parts) > 1
    assert all(set(one).isdisjoint(other) for one, other in combinations(parts, 2))


def test_lines_are_never_mixed_and_alternates_are_markets_of_their_own() -> None:
    for bet in read_slate(slate(games=1, dirt=True)).bets:
        if bet["market"] != "Spread":
            continue
        own = bet["line"] if bet["selection"].startswith("Home") else -bet["line"]
        sides = [side for book in bet.get("reference_prices", ()) for side in book["prices"]]
        assert all((side["line"] if side["selection"].startswith("Home") else -side["line"]) == own for side in sides)


def test_a_book_with_one_side_is_graded_and_serves_nobody_as_a_reference() -> None:
    bets = [bet for bet in read_slate(slate(games=1, dirt=True)).bets if bet["market"] == "Total Points"]
    assert "market_prices" not in next(bet for bet in bets if bet["institution_name"] == "Book 3")
    assert all(book["book"] != "Book 3" for bet in bets for book in bet["reference_prices"])


def test_decimal_prices_are_known_as_such_and_props_are_told_apart_by_their_player() -> None:
    outcomes = [
        {"name": name, "description": player, "price": 1.9, "point": 20.5}
        for player in ("LeBron James", "Jayson Tatum")
        for name in ("Over", "Under")
    ]
    books = [{"title": t, "markets": [{"key": "player_points", "outcomes": outcomes}]} for t in ("A", "B")]
    read = read_slate([{"home_team": "BOS", "away_team": "LAL", "sport_key": "basketball_nba", "bookmakers": books}])
    assert Counter(bet["market"] for bet in read.bets) == {"Player Points": 8}
    assert {bet["odds_format"] for bet in read.bets} == {"decimal"}
    assert all(len(bet["market_prices"]) == 2 for bet in read.bets)
    assert read.bets[0]["selection"] == "LeBron James Over"


@pytest.mark.parametrize(
    ("sport", "spread", "total"),
    [
        ("basketball_nba", "Spread", "Total Points"),
        ("baseball_mlb", "Run Line", "Total Runs"),
        ("icehockey_nhl", "Puck Line", "Total Goals"),
        ("soccer_epl", "Asian Handicap", "Total Goals"),
    ],
)
def test_markets_are_called_as_settled_bets_call_them(sport: str, spread: str, total: str) -> None:
    games = [{**game, "sport_key": sport} for game in slate(games=1, books=2)]
    assert {bet["market"] for bet in read_slate(games).bets} == {"Moneyline", spread, total}


@pytest.mark.parametrize("dirt", [False, True])
def test_bets_that_share_their_references_are_those_that_each_would_be(dirt: bool) -> None:
    bets = read_slate(slate(games=2, books=12, dirt=dirt)).bets
    limits = OddsLimits()
    assert read_shared(bets, limits) == read_bets(list(bets), limits)
    wrong = [{**bet, "reference_prices": [{"book": "X", "prices": []}]} for bet in bets]
    told, each = read_shared(wrong, limits), read_bets([*wrong], limits)
    assert [str(error) for error in told] == [str(error) for error in each]
    assert read_shared([], limits) == []


ODD = st.one_of(st.none(), st.booleans(), st.integers(-300, 300), st.floats(), st.text(max_size=3), st.lists(st.none()))
OUTCOME = st.fixed_dictionaries({}, optional={"name": ODD, "price": ODD, "point": ODD, "description": ODD})


@given(st.lists(OUTCOME, max_size=4), ODD, st.sampled_from(["h2h", "spreads", "totals", None, 3]), ODD)
def test_what_is_odd_in_a_slate_is_left_out_and_never_an_accident(
    outcomes: list[dict[str, object]], odd: object, key: object, at: object
) -> None:
    market = {"key": key, "last_update": at, "outcomes": outcomes}
    book = {"title": odd, "markets": [market, odd], "last_update": odd}
    game = {"home_team": odd, "away_team": "A", "sport_key": odd, "commence_time": at, "bookmakers": [book, odd]}
    read = read_slate([game, {**game, "bookmakers": odd}])
    assert read.outcomes == len(outcomes)
    assert len(read_shared(read.bets, OddsLimits())) == len(read.bets)


@pytest.mark.parametrize("wrong", [{}, [1], [{"id": 1}], "x"])
def test_what_is_no_slate_is_refused(wrong: object) -> None:
    with pytest.raises(ModelError, match="no slate"):
        read_slate(wrong)

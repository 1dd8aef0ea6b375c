from collections import Counter

import pytest

from pikkit.errors import ModelError
from pikkit.slate.reading import read_slate
from tests.support.slates import slate


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


def test_lines_are_never_mixed_and_alternates_are_markets_of_their_own() -> None:
    for bet in read_slate(slate(games=1, dirt=True)).bets:
        if bet["market"] != "Spread":
            continue
        own = bet["line"] if bet["selection"].startswith("Home") else -bet["line"]
        sides = [side for book in bet.get("reference_prices", ()) for side in book["prices"]]
        assert all((side["line"] if side["selection"].startswith("Home") else -side["line"]) == own for side in sides)


def test_a_book_with_one_side_is_graded_and_serves_nobody_as_a_reference() -> None:
    bets = [bet for bet in read_slate(slate(games=1, dirt=True)).bets if bet["market"] == "Total"]
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


@pytest.mark.parametrize("wrong", [{}, [1], [{"id": 1}], "x"])
def test_what_is_no_slate_is_refused(wrong: object) -> None:
    with pytest.raises(ModelError, match="no slate"):
        read_slate(wrong)

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pikkit.bets.bet import Bet
from pikkit.bets.reading import read_bet
from pikkit.grading.evidence import Evidence, Told, evidence_of
from pikkit.grading.markets import MarketRules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
BET: dict[str, Any] = {
    "sport": "Ice Hockey",
    "league": "NHL",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "odds": 120,
    "selection": "MTL",
}


def two(mine: float, other: float, line: float | None = None, *, total: bool = False) -> list[dict[str, Any]]:
    against = line if line is None or total else -line
    return [{"selection": "BOS", "odds": other, "line": against}, {"selection": "MTL", "odds": mine, "line": line}]


def book(name: str = "Pinnacle", mine: float = 110, other: float = -120, **more: Any) -> dict[str, Any]:
    return {"book": name, "prices": two(mine, other), **more}


def seen(age_s: float) -> str:
    return (NOON - timedelta(seconds=age_s)).isoformat()


def evidence(rules: MarketRules | None = None, **changes: Any) -> Evidence:
    bet: Bet = read_bet({**BET, **changes})
    return evidence_of([bet], rules or MarketRules(), NOON.timestamp(), explain=True)


def of(found: Evidence) -> Told:
    one = found.of(0)
    assert one is not None
    return one


def others(found: Evidence) -> list[tuple[float, ...]]:
    columns = found.columns()
    fair = columns.other_fair.round(12).tolist()
    return list(zip(columns.other_bet.tolist(), columns.other_odds.tolist(), fair, strict=True))


def told(rules: MarketRules | None = None, **changes: Any) -> Told:
    return of(evidence(rules, **changes))


def same(one: Told) -> Any:
    return pytest.approx(one, abs=0, rel=0, nan_ok=True)


def test_without_other_prices_there_is_none() -> None:
    found = evidence()
    assert found.of(0) is None
    assert not found.warnings


def test_the_own_market_gives_a_fair_chance_its_margin_and_that_there_is_no_second_price() -> None:
    found = evidence(market_prices=two(120, -140))
    assert of(found).overround == pytest.approx(100 / 220 + 140 / 240 - 1)
    assert 0.43 < of(found).fair < 100 / 220
    assert not of(found).by_reference
    assert "no second price" in found.warnings[0][0]
    assert found.words[0].startswith("DraftKings's own prices without vig give 4")


def test_a_reference_counts_for_more_than_the_own_market() -> None:
    found = evidence(market_prices=two(120, -140), reference_prices=[book(mine=-150, other=140)])
    assert of(found).by_reference
    assert of(found).fair > 0.55
    assert of(found).overround == pytest.approx(100 / 220 + 140 / 240 - 1)  # the own market's
    assert found.words[0].startswith("Pinnacle's prices without vig give 5")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reference_prices": [book("Draft Kings")]}, "own sportsbook"),
        ({"reference_prices": [book("draft-kings")]}, "own sportsbook"),
        ({"reference_prices": [book("William Hill (US)")], "institution_name": "Caesars"}, "own sportsbook"),
        ({"reference_prices": [book(at=seen(-601))]}, "dated 601 s after the bet, more than 600 s"),
        ({"reference_prices": [book(at=seen(-31))], "is_live": True}, "dated 31 s after the bet, more than 30 s"),
        ({"reference_prices": [book(at=seen(0))], "placed_at": seen(601)}, "dated 601 s after the bet"),
        ({"reference_prices": [book(at=seen(601))]}, "601 s old, more than 600 s"),
        ({"reference_prices": [book(at=seen(31))], "is_live": True}, "31 s old, more than 30 s"),
        ({"reference_prices": [{"book": "X", "prices": two(110, -120)[1:]}]}, "one side only"),
        ({"reference_prices": [{"book": "X", "prices": two(110, -120)[:1]}]}, "no price for 'MTL'"),
        (
            {"reference_prices": [{"book": "X", "prices": two(110, -120, -4)}], "line": -3.5},
            "another line (-4,",
        ),
        ({"reference_prices": [book(mine=300, other=200)]}, "add up to 58.3 %"),
        ({"reference_prices": [book(mine=-100_000, other=-100_000)]}, "can't be all sides"),
        ({"market_prices": two(300, 200)}, "market_prices is left out"),
        ({"market_prices": two(130, -140)}, "market_prices has 130 for 'MTL', the bet 120: odds holds"),
        ({"reference_prices": [book()], "selection": None}, "names no selection"),
        (
            {"market_prices": [*two(120, 200), {"selection": "Draw", "odds": 300}], "reference_prices": [book()]},
            "its sides are not those of market_prices",
        ),
    ],
)
def test_what_can_not_be_compared_is_left_out_and_said(changes: dict[str, Any], said: str) -> None:
    found = evidence(**changes)
    assert any(said in words for words in found.warnings[0]), found.warnings
    assert found.of(0) is None or not of(found).by_reference


def test_a_book_without_a_weight_is_left_out() -> None:
    found = evidence(MarketRules(other_weight=0.0), reference_prices=[book("Nobody")])
    assert "weight is 0" in found.warnings[0][0]


@pytest.mark.parametrize("age_s", [0.0, 599.0])
def test_a_fresh_price_is_taken_with_its_age(age_s: float) -> None:
    assert told(reference_prices=[book(at=seen(age_s))]).age_s == age_s
    assert told(reference_prices=[book(at=seen(age_s))], placed_at=seen(-1)).age_s == age_s + 1
    assert told(reference_prices=[book(at=seen(-age_s - 1))]).age_s == 0.0  # clocks differ


@pytest.mark.parametrize(
    ("first", "second", "left_out", "mine"),
    [
        (book("Caesars", at=seen(5)), book("williamhill_us", 130, -140, at=seen(9)), "williamhill_us", 110),
        (book("Caesars", at=seen(9)), book("williamhill_us", 130, -140, at=seen(5)), "Caesars", 130),
        (book("Soft"), book("SOFT", 130, -140), "SOFT", 110),
    ],
)
def test_a_sportsbook_that_is_given_twice_counts_once_with_its_fresher_prices(
    first: dict[str, Any], second: dict[str, Any], left_out: str, mine: float
) -> None:
    found = evidence(reference_prices=[first, second])
    words = f"reference {left_out!r} is left out: it is given twice, and the fresher prices count"
    assert found.warnings[0] == [words]
    assert of(found) == same(told(reference_prices=[first if mine == 110 else second]))


def test_books_with_another_number_of_sides_than_most_are_left_out_and_said() -> None:
    three = [{**book(name), "prices": [*two(230, 150), {"selection": "Draw", "odds": 230}]} for name in ("A", "B")]
    found = evidence(reference_prices=[three[0], book("Pinnacle"), three[1]])
    assert found.warnings[0] == ["reference 'Pinnacle' is left out: it has 2 sides, most books have 3"]
    assert of(found) == same(told(reference_prices=three))
    of_each = evidence(reference_prices=[book(), three[0]])
    assert of(of_each) == same(told(reference_prices=three[:1]))  # as many: the one with more sides


def test_soft_books_together_weigh_at_most_as_much_as_the_sharp_one() -> None:
    sharp, soft = book("Pinnacle", -120, 110), [book(f"Soft {i}", 110, -120) for i in range(30)]
    only_sharp, only_soft = told(reference_prices=[sharp]), told(reference_prices=soft[:1])
    both = told(reference_prices=[sharp, *soft])
    assert both.fair == pytest.approx((only_sharp.fair + only_soft.fair) / 2)


def test_trust_rises_with_weight_and_number_and_falls_with_age() -> None:
    def trust(*books: dict[str, Any]) -> float:
        return told(reference_prices=list(books)).trust

    assert 0.5 < trust(book("Soft")) < trust(book("Soft"), book("Other")) < trust(book(at=seen(0)))
    assert trust(book(at=seen(600))) < trust(book(at=seen(300))) < trust(book(at=seen(0))) < 1
    assert trust(book(at=seen(600))) > 0.7  # a sharp book alone can make an A
    assert 0.5 < trust(book("Soft")) < 0.7  # a single soft one makes a B at the most
    assert trust(book(at=seen(0))) == pytest.approx(0.5 + 0.5 * 1 / 1.5)
    assert trust(book()) == pytest.approx(0.5 + 0.5 * 0.75 / 1.25)


def test_a_line_that_can_push_is_said() -> None:
    whole = evidence(line=-3, market_prices=two(120, -140, -3))
    half = evidence(line=-3.5, market_prices=two(120, -140, -3.5))
    assert any("can push" in words for words in whole.warnings[0])
    assert not any("can push" in words for words in half.warnings[0])


def test_prices_that_can_not_lose_together_are_said_to_be_stale() -> None:
    found = evidence(reference_prices=[book(mine=-140, other=130)])
    assert any("probably stale" in words for words in found.warnings[0])
    assert not evidence(reference_prices=[book()]).warnings
    assert not evidence(odds=300, reference_prices=[book(mine=250, other=-300)]).warnings  # 100 %, and no less


def left(book: str, why: str) -> str:
    return f"reference {book!r} is left out: {why}"


SECOND = "no second price: one sportsbook's prices alone show no value"
STALE = (
    "this price and Pinnacle's for the other sides add up to 88.9 %: one of them is probably stale, look again before "
    "you bet"
)
MORE_SIDES = [*two(120, 200), {"selection": "Draw", "odds": 300}]


@pytest.mark.parametrize(
    ("changes", "warnings", "words"),
    [
        ({"reference_prices": [book("Draft Kings")]}, [left("Draft Kings", "it is the bet's own sportsbook")], None),
        ({"reference_prices": [book(at=seen(601))]}, [left("Pinnacle", "it is 601 s old, more than 600 s")], None),
        (
            {"reference_prices": [{"book": "X", "prices": two(110, -120)[1:]}]},
            [left("X", "it has one side only")],
            None,
        ),
        (
            {"reference_prices": [{"book": "X", "prices": two(110, -120)[:1]}]},
            [left("X", "it has no price for 'MTL'")],
            None,
        ),
        (
            {"reference_prices": [{"book": "X", "prices": two(110, -120, -4)}], "line": -3.5},
            [left("X", "it is on another line (-4, the bet -3.5)")],
            None,
        ),
        (
            {"reference_prices": [book(mine=300, other=200)]},
            [left("Pinnacle", "its prices add up to 58.3 % and can't be all sides of one market")],
            None,
        ),
        (
            {"market_prices": two(300, 200)},
            [
                "market_prices has 300 for 'MTL', the bet 120: odds holds",
                "market_prices is left out: its prices add up to 78.8 % and can't be all sides of one market",
            ],
            None,
        ),
        (
            {"market_prices": two(130, -140)},
            ["market_prices has 130 for 'MTL', the bet 120: odds holds", SECOND],
            "DraftKings's own prices without vig give 43.4 %, this price asks for 45.5 %",
        ),
        ({"reference_prices": [book()], "selection": None}, [left("Pinnacle", "the bet names no selection")], None),
        (
            {"market_prices": MORE_SIDES, "reference_prices": [book()]},
            [left("Pinnacle", "its sides are not those of market_prices"), SECOND],
            "DraftKings's own prices without vig give 44.2 %, this price asks for 45.5 %",
        ),
        (
            {"market_prices": two(130, -140), "reference_prices": [book("Draft Kings")]},
            [
                "market_prices has 130 for 'MTL', the bet 120: odds holds",
                left("Draft Kings", "it is the bet's own sportsbook"),
                SECOND,
            ],
            "DraftKings's own prices without vig give 43.4 %, this price asks for 45.5 %",
        ),
        (
            {"market_prices": two(120, 200), "reference_prices": [book("Draft Kings")]},
            [
                left("Draft Kings", "it is the bet's own sportsbook"),
                "market_prices is left out: its prices add up to 78.8 % and can't be all sides of one market",
            ],
            None,
        ),
        (
            {"line": -3, "market_prices": two(120, -140, -3)},
            [SECOND, "the line -3 can push: win probability and expected ROI hold for when it does not"],
            "DraftKings's own prices without vig give 43.4 %, this price asks for 45.5 %",
        ),
        (
            {"reference_prices": [book(mine=-140, other=130)]},
            [STALE],
            "Pinnacle's prices without vig give 57.5 %, this price asks for 45.5 %",
        ),
        (
            {"market_prices": two(120, -140), "reference_prices": [book(at=seen(60)), book("Soft", 105, -125)]},
            [],
            "2 other sportsbooks' prices without vig give 46.5 %, this price asks for 45.5 %",
        ),
    ],
)
def test_what_other_prices_come_to_is_told_word_by_word(
    changes: dict[str, Any], warnings: list[str], words: str | None
) -> None:
    found = evidence(**changes)
    assert list(found.warnings.get(0, ())) == warnings
    assert found.words.get(0) == words


@pytest.mark.parametrize("beside", [{}, {"reference_prices": [book()]}], ids=["alone", "beside a reference"])
def test_the_bets_own_price_holds_where_market_prices_have_another(beside: dict[str, Any]) -> None:
    apart, same = (evidence(market_prices=two(mine, -140), **beside) for mine in (130, 120))
    assert (of(apart)[:2], others(apart)) == (of(same)[:2], others(same))
    [(bet, odds, fair)] = others(apart)
    assert (bet, odds) == (0, -140)
    assert fair == pytest.approx(1 - of(apart).fair)


def test_bets_together_are_told_what_each_is_told_alone() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"line": -3, "market_prices": two(120, 200, -3)},
        {"market_prices": two(120, -140)},
        {"line": 7, "market_prices": two(120, -140, 7)},
        {"market_prices": two(130, -115), "reference_prices": [book("Draft Kings")]},
        {"market_prices": two(120, -140), "reference_prices": [book()]},
        {"market_prices": [*two(120, 200), {"selection": "Draw", "odds": 300}]},
    ]
    alone = [evidence(**one) for one in changes * 3]  # columns are for more than a few
    bets = [read_bet({**BET, **one}) for one in changes * 3]
    together = evidence_of(bets, MarketRules(), NOON.timestamp(), explain=True)
    for i, one in enumerate(alone):
        told = (together.of(i) or ())[:2]
        assert told == pytest.approx((one.of(0) or ())[:2], abs=1e-12)
        for name in ("warnings", "words", "doubtful"):
            assert getattr(together, name).get(i) == getattr(one, name).get(0), (changes[i % len(changes)], name)


def test_prices_below_a_hundred_percent_in_all_are_in_doubt_unless_others_are_there() -> None:
    loose = evidence(market_prices=two(120, -115))
    assert loose.doubtful == {
        0: "the market's own prices add up to 98.9 %, less than any sportsbook asks: one of them is probably stale"
    }
    assert not evidence(market_prices=two(120, -115), reference_prices=[book()]).doubtful


def test_other_sides_have_the_references_chances_where_they_are_called_the_same() -> None:
    market = [*two(120, 200), {"selection": "Draw", "odds": 300}]
    same = {"book": "Pinnacle", "prices": [*two(115, 210), {"selection": "draw", "odds": 290}]}
    other = {"book": "Pinnacle", "prices": [*two(115, 210), {"selection": "Tie", "odds": 290}]}
    plain, known, unknown = (
        evidence(market_prices=market, reference_prices=books) for books in (None, [same], [other])
    )
    assert of(known).fair == of(unknown).fair != of(plain).fair
    assert others(unknown) == others(plain)
    assert others(known) != others(plain)
    assert sum(fair for _, _, fair in others(known)) == pytest.approx(1 - of(known).fair)
    assert [odds for _, odds, _ in others(known)] == [200, 300]


def test_without_any_prices_there_are_no_other_sides() -> None:
    assert (evidence().of(0), others(evidence())) == (None, [])

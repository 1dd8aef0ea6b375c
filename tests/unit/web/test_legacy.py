from typing import Any

import pytest

from pikkit.web.legacy import legacy_bet
from tests.support.web import Web

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings"}


def test_without_odds_minus_110_is_assumed_and_said() -> None:
    bet, warnings = legacy_bet({**BET, "odds_format": "decimal"})
    assert bet == {**BET, "odds": -110}
    assert len(warnings) == 1


@pytest.mark.parametrize("absent", ["", "undefined", "null", "NaN", " None ", None, float("nan")])
@pytest.mark.parametrize("field", ["odds", "is_live", "clv_percentage", "bet_type"])
def test_how_javascript_writes_nothing_means_not_given(field: str, absent: Any) -> None:
    bet, _ = legacy_bet({**BET, "odds": 150, field: absent})
    assert bet == {**BET, "odds": -110 if field == "odds" else 150}


@pytest.mark.parametrize("absent", ["\r", "\u0085", "\u3000NULL\t", "NONE"])
def test_white_space_and_case_do_not_matter(absent: str) -> None:
    bet, _ = legacy_bet({**BET, "odds": 150, "is_live": absent})
    assert bet == {**BET, "odds": 150}


def test_an_odds_format_that_there_is_not_is_left_to_be_refused_without_odds_too() -> None:
    bet, _ = legacy_bet({**BET, "odds_format": "roman"})
    assert bet["odds_format"] == "roman"


def test_required_text_is_passed_on_to_be_judged() -> None:
    bet, _ = legacy_bet({**BET, "league": "undefined", "odds": 100})
    assert bet["league"] == "undefined"


def test_unknown_fields_are_dropped() -> None:
    bet, warnings = legacy_bet({**BET, "odds": 100, "userId": 7})
    assert "userId" not in bet
    assert warnings == []


@pytest.mark.parametrize("query", ["sport=x", "sport=x&league=", "sport=x&league=%20"])
def test_the_legacy_get_needs_a_league_as_ever(query: str) -> None:
    web = Web()
    answer = web.send("GET", f"/ml-predict?{query}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "league")
    assert web.grader.asked == []

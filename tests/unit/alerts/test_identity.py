from typing import Any

import pytest

from pikkit.alerts.identity import alert_id_of, generation_of, identity_of, places_of
from tests.support.alerts import NOON, bet_json

DAY = 86_400.0


def legs(*selections: str) -> list[dict[str, Any]]:
    return [bet_json(event=f"game {i}", selection=name) for i, name in enumerate(selections)]


@pytest.mark.parametrize(
    "change",
    [
        {"odds": -110},
        {"odds": 400},
        {"sport": " ice  HOCKEY"},
        {"institution_name": "FANDUEL"},
        {"event": "mtl @  bos"},
        {"starts_at": "2026-01-26T13:40:00Z"},
        {"starts_at": "2026-01-26T14:20:00+01:00"},
        {"client_ref": "card-9"},
        {"url": "https://a.example/1"},
        {"placed_at": "2026-01-26T11:59:00Z"},
        {"clv_percentage": 2.0},
    ],
)
def test_the_same_bet_has_the_same_identity_at_whatever_price_and_however_it_is_written(change: dict[str, Any]) -> None:
    assert identity_of(bet_json(**change), 0) == identity_of(bet_json(), 0)
    assert identity_of(bet_json(), 3) == identity_of(bet_json(), 0)  # its event is told: no position is needed


@pytest.mark.parametrize(
    "change",
    [
        {"event": "TOR @ BOS"},
        {"starts_at": "2026-01-26T18:00:00Z"},  # the second game of a double-header
        {"starts_at": "2026-01-27T13:00:00Z"},  # tomorrow's game of the same teams
        {"starts_at": None},
        {"selection": "BOS"},
        {"line": 1.5},
        {"line": None},
        {"market": "Moneyline"},
        {"league": "KHL"},
        {"league": None},
        {"sport": "Basketball"},
        {"institution_name": "DraftKings"},
        {"bet_type": "parlay"},
        {"is_live": True},
        {"legs": legs("MTL", "TOR")},
    ],
)
def test_whatever_makes_it_another_bet_changes_its_identity(change: dict[str, Any]) -> None:
    assert identity_of(bet_json(**change), 0) != identity_of(bet_json(), 0)


def test_legs_are_the_same_in_any_order_and_others_with_another_leg() -> None:
    a, b, c = legs("MTL", "TOR", "EDM")
    parlay = {"bet_type": "parlay", "event": None, "selection": None}
    assert identity_of(bet_json(legs=[a, b], **parlay), 0) == identity_of(bet_json(legs=[b, a], **parlay), 0)
    assert identity_of(bet_json(legs=[a, b], **parlay), 0) != identity_of(bet_json(legs=[a, c], **parlay), 0)


def test_without_an_event_the_reference_tells_bets_apart_else_the_position_in_the_request() -> None:
    bare = {"event": None, "selection": None, "line": None, "starts_at": None}
    page = [bet_json(odds=-110.0, **bare) for _ in range(3)]
    again = [bet_json(odds=-108.0, **bare) for _ in range(3)]
    of_page = {identity_of(bet, place[1]) for bet, place in zip(page, places_of(page), strict=True)}
    of_again = {identity_of(bet, place[1]) for bet, place in zip(again, places_of(again), strict=True)}
    assert len(of_page) == 3
    assert of_page == of_again
    referred = {identity_of(bet_json(client_ref=name, **bare), 0) for name in ("a", "b", 7)}
    assert len(referred) == 3
    assert identity_of(bet_json(client_ref="a", **bare), 0) == identity_of(bet_json(client_ref="a", **bare), 5)


def test_an_event_whose_pick_is_not_told_counts_positions_too() -> None:
    page = [bet_json(selection=None), bet_json(selection=None)]
    assert len({identity_of(bet, place[1]) for bet, place in zip(page, places_of(page), strict=True)}) == 2


def test_positions_count_bets_with_the_same_names_alone() -> None:
    bare: dict[str, Any] = {"event": None, "starts_at": None}
    page = [bet_json(**bare), bet_json(market="Total", **bare), bet_json(league=" nhl", **bare)]
    assert [place for _, place in places_of(page)] == [0, 0, 1]


def test_what_has_a_start_has_one_generation_and_what_has_none_a_new_one_after_each_window() -> None:
    assert generation_of(NOON + 100, NOON, DAY) == generation_of(NOON + 100, NOON + 30 * DAY, DAY)
    assert generation_of(None, NOON, DAY) != generation_of(None, NOON + DAY, DAY)
    assert generation_of(None, NOON, 0) != generation_of(None, NOON + 0.01, 0)


def test_the_key_follows_from_identity_generation_and_step_alone() -> None:
    keys = {alert_id_of(identity, generation, step) for identity in "ab" for generation in (0, 1) for step in (0, 1)}
    assert len(keys) == 8
    assert alert_id_of("a", 0, 0) == alert_id_of("a", 0, 0)
    assert all(len(key) == 32 for key in keys)

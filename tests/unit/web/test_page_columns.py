import re

from pikkit.bets.bet import Bet
from pikkit.exports.columns import OURS
from tests.support.need import root

# What the page calls otherwise, as the API does; and what it alone knows of a bet that is not settled.
AS = {"is_live": "live", "clv_percentage": "clv", "selection": "info", "client_ref": "id"}
OWN = {"client_ref": ["client_ref"], "placed_at": ["created_at"]}
WITHOUT_A_CLOCK = {"date", "date_time", "datetime", "timestamp", "time"}  # in any order of day and month: not guessed


def fields() -> dict[str, list[str]]:
    text = (root() / "pikkit/web/static/columns.js").read_text(encoding="utf-8")
    table = text.partition("export const FIELDS = {")[2].partition("};")[0]
    return {name: re.findall(r'"(\w+)"', spelt) for name, spelt in re.findall(r"(\w+): \[(.*?)\]", table)}


def test_the_page_knows_each_column_in_the_spellings_that_the_import_knows() -> None:
    page = fields()
    shared = {name: AS.get(name, name) for name in page if AS.get(name, name) in OURS}
    assert len(shared) == 11
    for name, ours in shared.items():
        known = {*OURS[ours]} - WITHOUT_A_CLOCK
        assert {*page[name]} - {*OWN.get(name, ())} == known, name


def test_each_column_is_a_field_of_a_bet() -> None:
    assert fields().keys() <= Bet.model_fields.keys() | {"odds_format"}

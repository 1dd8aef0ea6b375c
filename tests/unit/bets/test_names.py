import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.names import Encoder, KnownNames, fold, folded, group_key, same_name


def test_a_code_is_the_position_and_spelling_does_not_matter() -> None:
    encoder = Encoder(["", "ATP", "NBA"], "league")
    assert [encoder.code(name) for name in ("ATP", " nba ", "")] == [1, 2, 0]
    assert encoder.canonical("nBa") == "NBA"


def test_classes_that_differ_only_by_case_keep_their_codes() -> None:
    encoder = Encoder(["EuroLeague", "Euroleague"], "league")
    assert [encoder.code(name) for name in ("EuroLeague", "Euroleague", "EUROLEAGUE")] == [0, 1, 0]
    assert encoder.canonical("Euroleague") == "Euroleague"


def test_an_unknown_value_is_missing_and_never_code_0() -> None:
    encoder = Encoder(["Basketball", "Tennis"], "sport")
    assert math.isnan(encoder.code("Chess"))
    assert not encoder.knows("Chess")


@pytest.mark.parametrize(
    ("classes", "code"), [(["a", "None"], 1), (["a", "None", "Unknown"], 2), (["unknown", "a"], 0)]
)
def test_the_encoders_own_entry_for_unknown_values_is_used(classes: list[str], code: int) -> None:
    encoder = Encoder(classes, "sport")
    assert encoder.code("Chess") == code
    assert not encoder.knows("Chess")


def test_an_alias_leads_to_its_class_even_where_the_alias_has_a_class_of_its_own() -> None:
    encoder = Encoder(["FanDuel", "Fanduel Sportsbook"], "institution_name")
    assert encoder.code("Fanduel Sportsbook") == encoder.code("fanduel") == 0


def test_an_alias_without_its_class_changes_nothing() -> None:
    encoder = Encoder(["single"], "bet_type")
    assert encoder.code("Single") == 0


@pytest.mark.parametrize(
    ("column", "known", "written"),
    [
        ("league", "Premier League", "EPL"),
        ("league", "EPL", "Premier League"),
        ("league", "NCAAFB", "NCAAF"),
        ("league", "NCAAF", "College Football"),
        ("league", "NCAAFB", "college\u00a0football"),
        ("league", "NBA", "N.B.A."),
        ("league", "NBA", "N\u200bBA"),
        ("league", "NBA", "\uff2e\uff22\uff21"),
        ("league", "Primera Divisi\u00f3n", "Primera Divisio\u0301n"),
        ("league", "Primera Divisi\u00f3n", "La Liga"),
        ("market", "Moneyline", "h2h"),
        ("market", "h2h", "Money-Line"),
        ("institution_name", "DraftKings", "draft kings sportsbook"),
        ("institution_name", "Fan Duel", "FANDUEL"),
        ("bet_type", "straight", "Single"),
        ("bet_type", "multi", "parlay"),
    ],
)
def test_other_names_lead_to_the_one_that_is_known_in_sets_and_in_their_history(
    column: str, known: str, written: str
) -> None:
    encoder = Encoder(["x", known], column)
    assert (encoder.code(written), encoder.knows(written)) == (1, True)
    assert encoder.canonical(written) == known
    assert KnownNames(column, [group_key(column, known)]).key(written) == group_key(column, known)
    assert same_name(column, written) == same_name(column, known) != same_name(column, "x")


def test_a_name_that_is_known_itself_is_not_led_elsewhere() -> None:
    encoder = Encoder(["NCAA Football", "NCAAFB", "Champions League", "UEFA Champions League"], "league")
    assert [encoder.code(name) for name in encoder.classes] == [0, 1, 2, 3]
    assert encoder.code("NCAAF") in (0, 1)


@pytest.mark.parametrize("written", ["", "  ", "None", "null", "undefined", "N/A", "\u200b"])
def test_words_for_nothing_are_the_class_for_nothing(written: str) -> None:
    assert fold(written) == group_key("league", written) == ""
    assert Encoder(["NBA", ""], "league").find(written) == (1, True)
    assert Encoder(["NBA", "None"], "league").find(written) == (1, True)
    assert Encoder(["NBA"], "league").knows(written) is False


def test_two_classes_for_nothing_keep_their_codes() -> None:
    encoder = Encoder(["", "NBA", "None"], "league")
    assert [encoder.code(name) for name in ("", "None", "null", "Chess")] == [0, 2, 0, 2]


NAMES = (  # as bets have them: without control characters
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6)
    | st.text("aB 9-.", max_size=4)
    | st.sampled_from(["None", "n/a", "Real  Madrid", "İ"])
)


@given(st.lists(NAMES, max_size=6))
def test_names_are_folded_together_as_each_is_alone(names: list[str]) -> None:
    assert folded(names) == [fold(name) for name in names]


@given(st.lists(st.text(max_size=8), unique_by=fold, max_size=10))
def test_every_class_keeps_its_code_however_it_is_spelt(classes: list[str]) -> None:
    encoder = Encoder(classes, "sport")
    for code, name in enumerate(classes):
        for spelling in (name, f"  {name}\t", name.swapcase() if fold(name.swapcase()) == fold(name) else name):
            assert encoder.code(spelling) == code
            assert encoder.canonical(spelling) == name


def letters(name: str) -> str:
    return "".join(character for character in fold(name) if character.isalnum())


@given(st.lists(st.text(max_size=8), unique=True, max_size=10), st.text(max_size=8))
def test_a_value_is_known_by_its_class_or_is_unknown_to_the_code(classes: list[str], value: str) -> None:
    encoder = Encoder(classes, "sport")
    if encoder.knows(value):
        assert letters(classes[int(encoder.code(value))]) == letters(value)
    else:
        code = encoder.code(value)
        assert math.isnan(code) or classes[int(code)].strip().casefold() in {"unknown", "none"}

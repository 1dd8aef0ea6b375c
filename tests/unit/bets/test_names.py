import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.bets.names import ALIASES, Encoder, fold, group_key


def test_a_code_is_the_position_and_spelling_does_not_matter() -> None:
    encoder = Encoder(["", "ATP", "NBA"], {})
    assert [encoder.code(name) for name in ("ATP", " nba ", "")] == [1, 2, 0]
    assert encoder.canonical("nBa") == "NBA"


def test_classes_that_differ_only_by_case_keep_their_codes() -> None:
    encoder = Encoder(["EuroLeague", "Euroleague"], {})
    assert [encoder.code(name) for name in ("EuroLeague", "Euroleague", "EUROLEAGUE")] == [0, 1, 0]
    assert encoder.canonical("Euroleague") == "Euroleague"


def test_an_unknown_value_is_missing_and_never_code_0() -> None:
    encoder = Encoder(["Basketball", "Tennis"], {})
    assert math.isnan(encoder.code("Chess"))
    assert not encoder.knows("Chess")


@pytest.mark.parametrize(
    ("classes", "code"), [(["a", "None"], 1), (["a", "None", "Unknown"], 2), (["unknown", "a"], 0)]
)
def test_the_encoders_own_entry_for_unknown_values_is_used(classes: list[str], code: int) -> None:
    encoder = Encoder(classes, {})
    assert encoder.code("Chess") == code
    assert not encoder.knows("Chess")


def test_an_alias_leads_to_its_class_even_where_the_alias_has_a_class_of_its_own() -> None:
    encoder = Encoder(["FanDuel", "Fanduel Sportsbook"], ALIASES["institution_name"])
    assert encoder.code("Fanduel Sportsbook") == encoder.code("fanduel") == 0


def test_an_alias_without_its_class_changes_nothing() -> None:
    encoder = Encoder(["single"], {"single": "straight"})
    assert encoder.code("Single") == 0


@pytest.mark.parametrize("column", sorted(ALIASES))
def test_aliases_lead_somewhere_and_not_to_other_aliases(column: str) -> None:
    for name, target in ALIASES[column].items():
        assert group_key(column, name) == group_key(column, target) != ""


@given(st.lists(st.text(max_size=8), unique_by=fold, max_size=10))
def test_every_class_keeps_its_code_however_it_is_spelt(classes: list[str]) -> None:
    encoder = Encoder(classes, {})
    for code, name in enumerate(classes):
        for spelling in (name, f"  {name}\t", name.swapcase() if fold(name.swapcase()) == fold(name) else name):
            assert encoder.code(spelling) == code
            assert encoder.canonical(spelling) == name


@given(st.lists(st.text(max_size=8), unique=True, max_size=10), st.text(max_size=8))
def test_a_value_is_known_by_its_class_or_is_unknown_to_the_code(classes: list[str], value: str) -> None:
    encoder = Encoder(classes, {})
    if encoder.knows(value):
        assert fold(classes[int(encoder.code(value))]) == fold(value)
    else:
        code = encoder.code(value)
        assert math.isnan(code) or fold(classes[int(code)]) in {"unknown", "none"}

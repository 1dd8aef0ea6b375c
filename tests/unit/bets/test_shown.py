"""Values of callers in error messages: recognisable, short, and never in full."""

import pytest

from pikkit.bets.shown import named, shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.5, "1.5"),
        ("NBA", "'NBA'"),
        (None, "None"),
        ([1], "a list"),
        ({"a": 1}, "an object"),
        ("x" * 38, "'" + "x" * 38 + "'"),  # 40 characters with its quotes
        ("x" * 39, "'" + "x" * 39 + "…"),
        ("x" * 200, "'" + "x" * 39 + "…"),
        ("x" * 201, "(201 characters)"),
        (10**39, "1" + "0" * 39),
        (10**40, "1" + "0" * 39 + "…"),
    ],
)
def test_a_value_is_shown_in_a_few_characters(value: object, words: str) -> None:
    assert shown(value) == words


def test_a_number_that_python_refuses_to_write_is_described() -> None:
    assert shown(10**5000) == "(a number of thousands of digits)"


@pytest.mark.parametrize(
    ("name", "words"),
    [("odds", "odds"), ("x" * 40, "x" * 40), ("x" * 41, "x" * 40 + "…"), ("a\nb\u200b", r"a\nb\u200b")],
)
def test_a_name_is_shown_without_what_does_not_print(name: str, words: str) -> None:
    assert named(name) == words

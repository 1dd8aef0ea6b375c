"""`python -m pikkit.slate` from file, standard input and The Odds API's stand-in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pikkit.slate.__main__ import app
from tests.support.converted import read_here
from tests.support.need import root
from tests.support.receiver import Call, StandIn
from tests.support.slates import slate

KEY = "0123456789abcdef-the-owners-key"


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_DIR", str(root() / "models"))
    monkeypatch.setenv("ODDS_API_KEY", KEY)


@pytest.fixture
def in_this_process() -> Iterator[None]:
    with read_here():
        yield


def test_every_outcome_is_graded_or_left_out_and_the_counts_add_up() -> None:
    games = slate(games=2, dirt=True)
    outcomes = sum(
        len(market["outcomes"]) for game in games for book in game["bookmakers"] for market in book["markets"]
    )
    # As on a terminal: what is done meanwhile is said there, and not in the answer.
    done = CliRunner().invoke(app, ["-", "--json"], input=json.dumps(games), env={"FORCE_COLOR": "1"})
    assert done.exit_code == 0, done.stderr
    assert f"grading {outcomes:,} outcomes" in re.sub(r"\x1b\[[\d;]*m", "", done.stderr)
    told = json.loads(done.stdout)
    assert told["outcomes"] == outcomes == told["graded"] + sum(told["left_out"].values())
    assert [row["edge"] for row in told["rows"]] == sorted((row["edge"] for row in told["rows"]), reverse=True)
    assert all(row["fair"] is not None for row in told["rows"] if row["market"] == "Spread" and abs(row["line"]) == 3.5)


@pytest.mark.usefixtures("in_this_process")
def test_a_price_that_beats_the_others_comes_first_and_filters_choose(tmp_path: Path) -> None:
    games = slate(games=2)
    games[1]["bookmakers"][4]["markets"][0]["outcomes"][0]["price"] = 125
    file = tmp_path / "slate.json"
    file.write_text(json.dumps(games), encoding="utf-8-sig")  # as Windows writes it
    done = CliRunner().invoke(app, [str(file), "--csv", "--book", "book 4", "--market", "h2h"])
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 4
    assert lines[1].startswith("Away 1 @ Home 1,2030-01-05T00:00:00Z,Home 1,,Moneyline,Book 4,125")


@pytest.mark.usefixtures("in_this_process")
def test_names_are_printed_as_they_are_written() -> None:
    games = slate(games=1, books=3)
    games[0]["home_team"] = "[/bold] :smile: [red]H"
    games[0]["bookmakers"][1]["markets"].append({"key": "[red]\x1b[2Jx_lay", "outcomes": [{"name": "A", "price": 120}]})
    done = CliRunner().invoke(app, ["-"], input=json.dumps(games), env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "Away 0 @ [/bold] :smile: [red]H" in done.stdout
    assert r"market [red]\x1b[2Jx_lay: not graded" in done.stderr


@pytest.mark.usefixtures("in_this_process")
def test_the_owners_key_is_asked_with_and_never_told() -> None:
    def answer(call: Call) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, json.dumps(slate(games=1, books=3)).encode()) if KEY in call.path else (401, {}, b"{}")

    with StandIn(answer) as api:
        environment = {"ODDS_API_URL": api.url}
        good = CliRunner().invoke(app, ["--fetch", "basketball_nba", "--limit", "1"], env=environment)
        wrong = CliRunner().invoke(app, ["--fetch", "x_y"], env={**environment, "ODDS_API_KEY": "another-key-of-his"})
    away = CliRunner().invoke(app, ["--fetch", "basketball_nba"], env={"ODDS_API_URL": api.url})
    assert good.exit_code == 0, good.stderr
    assert (wrong.exit_code, away.exit_code) == (2, 2)
    assert "ODDS_API_KEY is wrong" in wrong.stderr
    assert "can't be reached" in away.stderr
    for done in (good, wrong, away):
        assert KEY not in done.output
        assert "another-key" not in done.output


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a file"),
        (["no.json"], "can't be read"),
        (["-"], "can't be read"),
        (["--fetch", "../x"], "no sport key"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, arguments, input="[" * 100_000)
    assert done.exit_code == 2
    assert words in done.stderr

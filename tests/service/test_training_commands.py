"""The commands of `python -m training` in this process; tests/system runs them as their users do."""

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pikkit.models.activation import home
from pikkit.models.importing import import_models
from tests.support.converted import read_here
from tests.support.model_files import write_set
from tests.support.need import root
from tests.support.simulated import write_bets
from training.cli import main
from training.cli.shell import console
from training.score import ANSWERS

Run = Callable[..., tuple[object, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; gives its exit code, or the text it exits with, and its output with single blanks."""
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        with pytest.raises(SystemExit) as done, read_here():
            main()
        return done.value.code, " ".join(capsys.readouterr().out.split())

    return call


def test_a_mispriced_market_is_learned_judged_and_reported(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bets, out, report = write_bets(tmp_path / "bets.csv", 8000, 4), tmp_path / "models", tmp_path / "report.html"
    code, output = run("train", "--bets", bets, "--out", out, "--report", report)
    assert not code, output
    metadata = json.loads((out / "model_metadata_latest.json").read_text())
    assert metadata["rounds"] > 0
    assert f"{metadata['timestamp']} is the latest set in" in output
    assert "starter" not in metadata
    versioned = {path.name for path in out.iterdir() if metadata["timestamp"] in path.name}
    assert len(versioned) == 4
    page = report.read_text()
    assert page.count("data:image/svg+xml;base64,") == 2
    for words in (
        "log-odds of winning =",
        f"+ {metadata['rounds']} rounds of trees",
        "weight of the model: own market",
    ):
        assert words in output
        assert words in page
    code, output = run("validate", "--models", out, "--bets", bets, "--json")
    told = json.loads(output)  # of the newest bets, as training judged them
    assert metadata["baseline"]["grades"] == pytest.approx(
        {letter: grade["bets"] / told["bets"] for letter, grade in told["return_by_grade"].items()}
    )
    for name, value in {"_force_terminal": True, "is_interactive": True, "_width": 300}.items():
        monkeypatch.setattr(console, name, value)
    code, output = run("validate", "--models", out, "--bets", bets, "--against", root() / "models")
    assert "not worse than production" in output
    for words in (
        "checking the models",
        "reading",
        "judging",
    ):  # what takes seconds says on a terminal that it is at it
        assert f" {words}" in output
    # Bets after all that the set knows are judged as they would be served.
    later = write_bets(tmp_path / "later.csv", 3000, 5, created_at=pl.col("created_at").dt.offset_by("1y"))
    code, output = run("validate", "--models", out, "--bets", later, "--json")
    told = json.loads(output)
    assert (told["bets"], told["judged_on"]) == (3000, "all bets, which came after the set's history")
    assert told["version"] == metadata["timestamp"]
    assert told["passed"] == all(gate["passed"] for gate in told["gates"]) == (code == 0)
    assert 0 < told["scores"]["all"]["model"]["log_loss"] < 1
    assert sum(grade["bets"] for grade in told["return_by_grade"].values()) == 3000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--out", "{out}"), "without bets"),
        (("train", "--out", "{out}", "--bets", "{out}/none.csv"), "is not a file"),
        (("train", "--out", "{out}", "--bets", "{few}"), "too few"),
        (("train", "--out", "{out}", "--supabase"), "SUPABASE_URL"),
        (("train", "--out", "{out}", "--supabase", "--bets", "{few}"), "one of them"),
        (("validate", "--models", "{out}", "--bets", "{few}"), "win_probability_model_latest.pkl"),
        (("validate", "--models", "{out}", "--simulated", "--bets", "{few}"), "exclude each other"),
        (("train", "--out", "{out}", "--bets", "{few}", "--rejected", "{few}"), "the file of the bets itself"),
        (("train", "--out", "{out}", "--bets", "{few}", "--report", "{few}"), "the file of the bets itself"),
        (("score", "{out}/none.csv"), "is not a file"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], said: str, tmp_path: Path, run: Run
) -> None:
    few, out = write_bets(tmp_path / "few.csv", 300, 1), tmp_path / "out"
    before = few.read_bytes()
    code, _ = run(*(argument.format(out=out, few=few) for argument in arguments))
    assert isinstance(code, str)
    assert said in code
    assert "\n" not in code
    assert not list(out.glob("*"))
    assert few.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("train", "--out", "{out}", "--bets", "{bets}"), "--report"),
        (("validate", "--models", "{out}", "--bets", "{bets}"), "--report"),
        (("validate", "--models", "{out}", "--bets", "{bets}"), "--summary"),
        (("live-report", "--bets", "{bets}"), "--report"),
        (("score", "{bets}"), "--out"),
    ],
)
@pytest.mark.parametrize("place", ["nowhere/file", "."])
def test_a_file_that_can_not_be_written_is_told_before_the_work(
    command: tuple[str, ...], option: str, place: str, tmp_path: Path, run: Run
) -> None:
    bets, out = write_bets(tmp_path / "bets.csv", 10, 1), tmp_path / "out"
    code, _ = run(*(part.format(out=out, bets=bets) for part in command), option, tmp_path / place)
    assert code == 2
    assert {path.name for path in tmp_path.iterdir()} == {bets.name}


def test_market_evidence_is_judged_for_programs(tmp_path: Path, run: Run) -> None:
    (tmp_path / "games.csv").write_text(
        "league,home_score,away_score,open_home,open_away,close_home,close_away\n"
        + "MLB,3,1,-150,130,-155,135\nMLB,1,3,-110,-110,-105,-115\n" * 20
    )
    code, output = run(
        "validate-prices", "--moneylines", tmp_path / "games.csv", "--models", root() / "models", "--json"
    )
    told = json.loads(output)
    assert [report["selections"] for report in told] == [80, 80]
    assert {"mean", "low", "high"} == set(told[0]["log_loss_difference"])
    assert code == (1 if any(report["faults"] for report in told) else 0)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_of_bets_is_graded_row_by_row(kind: str, tmp_path: Path, run: Run) -> None:
    source = write_bets(
        tmp_path / f"bets.{kind}",
        6000,
        2,
        american_odds=pl.when(pl.int_range(pl.len()) == 4321).then(50.0).otherwise(pl.col("american_odds")),
        league=pl.when(pl.col("bet_type") == "parlay").then(None).otherwise(pl.col("league")),
    )
    code, output = run("score", source, "--models", root() / "models", "--json")
    assert not code
    target = tmp_path / f"bets.graded.{kind}"
    assert json.loads(output) == {"graded": 5999, "failed": 1, "out": str(target)}
    graded = pl.read_csv(target) if kind == "csv" else pl.read_parquet(target)
    asked = pl.read_csv(source) if kind == "csv" else pl.read_parquet(source)
    assert graded["sport"].to_list() == asked["sport"].to_list()
    bad = graded.filter(pl.col("error").is_not_null())
    assert len(bad) == 1
    assert "50" in bad["error"][0]
    assert bad["bet_grade"].to_list() == [None]
    assert set(graded["bet_grade"].drop_nulls()) == set("ABCDF")
    assert {path.name for path in tmp_path.iterdir()} == {source.name, target.name}


def test_a_file_is_graded_as_the_server_does_and_can_be_graded_again(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    source = write_bets(tmp_path / "bets.csv", 200, 2)
    limit = float(np.quantile(np.abs(pl.read_csv(source)["american_odds"]), 0.9))
    for name, value in {"MODEL_DIR": root() / "models", "MAX_ODDS": limit}.items():
        monkeypatch.setenv(name, str(value))
    with read_here():
        stored, _ = import_models(write_set(tmp_path / "other", "mine"), activate_beside=root() / "models")
    request.addfinalizer(partial(shutil.rmtree, stored.folder.parent))  # BentoML's store is one for all of a process
    request.addfinalizer((home() / "pikkit_active_import.json").unlink)
    for asked in (source, tmp_path / "graded.csv"):
        code, output = run("score", asked, "--out", tmp_path / "graded.csv")
        assert not code
        assert "model set pikkit_bet_models:mine (from import)" in output
        assert "180 bets graded, 20 with an error" in output
        graded = pl.read_csv(tmp_path / "graded.csv")
        assert graded.columns == [*pl.read_csv(source).columns, *ANSWERS]
        assert graded["error"].drop_nulls().str.contains(f"{limit:g}", literal=True).all()

"""A bet tracker's export, made up: trained on, imported, served, scored, and each of them says the same of a bet."""

from pathlib import Path

import httpx
import polars as pl
import pytest

from pikkit.exports.markets import market_of
from tests.support.commands import python
from tests.support.server import Server
from tests.support.simulated import tracker_export

pytestmark = pytest.mark.system


def _run(*command: str | Path, home: Path) -> str:
    done = python(*command, BENTOML_HOME=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_an_export_goes_through_train_import_serve_and_score(tmp_path: Path) -> None:
    home, models, export = tmp_path / "store", tmp_path / "models", tmp_path / "transactions.csv"
    tracker_export(6000, 1).write_csv(export)
    trained = _run("-m", "training", "train", "--bets", export, "--out", models, home=home)
    assert "odds: decimal" in trained
    assert "push or void: the stake came back" in trained
    imported = _run("import_models.py", "--from", models, "--bets", export, home=home)
    assert "local servers serve it from now on" in imported
    _run("-m", "training", "score", export, "--models", models, home=home)
    graded = pl.read_csv(tmp_path / "transactions.graded.csv")
    assert graded["error"].null_count() == 6000
    some = graded.filter(pl.col("type") == "straight").gather_every(600).to_dicts()
    assert len(some) >= 5
    with Server(tmp_path, BENTOML_HOME=home, MODEL_DIR=models) as server:
        assert httpx.get(f"{server.url}/health").json()["model_timestamp"] in trained
        for row in some:
            bet = {
                "sport": row["sports"],
                "league": row["leagues"],
                "market": market_of(row["bet_info"], row["sports"]),
                "institution_name": row["sportsbook"],
                "odds": row["odds"],
                "odds_format": "decimal",
                "placed_at": row["time_placed_iso"],
            }
            served = httpx.post(f"{server.url}/api/v1/predict", json=bet).json()
            assert served["win_probability"] == pytest.approx(row["win_probability"], abs=1e-6)
            assert served["bet_grade"] == row["bet_grade"]
            assert served["sample_size"] == row["sample_size"]

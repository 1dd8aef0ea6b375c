"""A bet tracker's export, made up: trained on, imported, served, scored, and each of them says the same of a bet."""

from pathlib import Path

import httpx
import polars as pl
import pytest

from pikkit.exports.markets import market_of
from tests.support.commands import python
from tests.support.server import Server
from tests.support.simulated import tracker_export
from tests.support.training_command import training

pytestmark = pytest.mark.system


def _words(code: int, output: str) -> str:
    assert code == 0, output
    return " ".join(output.split())


def test_an_export_goes_through_train_import_serve_and_score(tmp_path: Path) -> None:
    home, models, export = tmp_path / "store", tmp_path / "models", tmp_path / "transactions.csv"
    tracker_export(6000, 1).write_csv(export)
    trained = _words(*training("train", "--bets", export, "--out", models))
    assert "odds: decimal" in trained
    assert "push or void: the stake came back" in trained
    done = python("import_models.py", "--from", models, "--bets", export, BENTOML_HOME=home)
    imported = _words(done.returncode, done.stdout + done.stderr)
    assert "local servers serve it from now on" in imported
    _words(*training("score", export, "--models", models))
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

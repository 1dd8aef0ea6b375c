"""The real service writes its prediction log; the bets are settled; `live-report` tells how it went."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from pikkit.bets.odds import implied_probability
from tests.support.commands import python
from tests.support.server import Server
from tests.support.simulated import write_bets

pytestmark = pytest.mark.system
SENT = ("sport", "league", "market", "institution_name", "bet_type", "is_live")


def _market(row: dict[str, Any]) -> dict[str, Any]:
    """All sides of a basketball bet's market, which add up to 1.05."""
    chance = float(implied_probability(np.array([row["odds"]]))[0])
    if row["sport"] != "Basketball" or not 0.1 < chance < 0.9:
        return {}
    other = 1.05 - chance
    opposite = -100 * other / (1 - other) if other >= 0.5 else 100 * (1 - other) / other
    sides = [{"selection": "ours", "odds": row["odds"]}, {"selection": "theirs", "odds": round(opposite, 2)}]
    return {"selection": "ours", "market_prices": sides}


def _serve(folder: Path, bets: pl.DataFrame) -> pl.DataFrame:
    """Have the real service predict the bets, a hundred at a time; gives its answers in their order."""
    answers = []
    rows = [{**row, **_market(row)} for row in bets.select(*SENT, odds="american_odds").to_dicts()]
    with Server(folder, PREDICTION_LOG="true") as server, httpx.Client(base_url=server.url) as client:
        for start in range(0, len(rows), 100):
            answer = client.post("/api/v1/batch-predict", json={"bets": rows[start : start + 100]}).json()
            assert answer["errors"] == []
            answers += [item["prediction"] for item in answer["predictions"]]
    return pl.DataFrame(answers)


def _report(folder: Path, bets: Path, *more: str) -> str:
    done = python("-m", "training", "live-report", "--bets", bets, *more, DATA_DIR=folder / "data")
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def _log_loss(p: pl.Series, won: pl.Series) -> float:
    values, hits = p.to_numpy(), won.to_numpy()
    return float(-np.where(hits, np.log(values), np.log1p(-values)).mean())


def test_the_log_of_the_service_and_the_results_give_the_figures_of_its_own_answers(tmp_path: Path) -> None:
    placed = datetime.now(UTC) + timedelta(minutes=5)
    league = pl.when(pl.col("bet_type") != "parlay").then(pl.col("league"))  # exports leave it empty
    path = write_bets(tmp_path / "bets.csv", 600, 11, placed_at=pl.lit(placed), league=league)
    bets = pl.read_csv(path)
    answers = _serve(tmp_path, bets.with_columns(pl.col("league").fill_null("None")))
    output = _report(tmp_path, path, "--report", str(tmp_path / "live.html"))
    assert "600 of 600 settled bets were predicted" in output
    # One model set: bets of one description have one answer, whichever line of the log is theirs.
    assert f"all 600 {_log_loss(answers['win_probability'], bets['is_win']):.4f}" in output
    market = (answers["fair_method"] == "market").sum()
    assert market > 50
    assert f"by market {market} " in output
    assert f"by history {600 - market} " in output
    for letter, count in answers["bet_grade"].value_counts().iter_rows():
        assert f"{letter} {count:,} " in output
    assert (tmp_path / "live.html").read_text().startswith("<!doctype html>")

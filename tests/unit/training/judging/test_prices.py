import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from pikkit.errors import ModelError
from pikkit.grading.predictor import Predictor
from tests.support.graded import NOW, Models
from training.judging.prices import PriceReport, moneyline_reports, soccer_reports

MATCHES = 60
SIDES = ("home", "draw", "away")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_matches_are_judged_by_their_own_market_and_by_a_reference(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for _ in range(MATCHES):
        p = draw.dirichlet([6, 4, 5])
        prices = {f"pinnacle_{side}": round(0.98 / chance, 3) for side, chance in zip(SIDES, p, strict=True)}
        prices |= {f"bet365_{side}": round(0.94 / chance, 3) for side, chance in zip(SIDES, p, strict=True)}
        rows.append({"league": "Premier League", "result": draw.choice(SIDES, p=p), **prices})
    rows.append({**rows[0], "pinnacle_home": ""})  # not known: left out
    own, reference = soccer_reports(write(tmp_path / "soccer.csv.gz", rows), Models(), Predictor(), now=NOW)
    for report in (own, reference):
        assert len(report.won) == 3 * MATCHES
        assert report.won.sum() == MATCHES
        interval = report.against_price()
        assert interval.low <= interval.mean <= interval.high
        assert sum(count for _, count, _ in report.returns()) == 3 * MATCHES
    assert (own.name, reference.name) == ("soccer, own market", "soccer, Pinnacle as reference")
    np.testing.assert_allclose(reference.fair, own.fair, atol=0.02)


def test_games_are_judged_by_both_sides(tmp_path: Path) -> None:
    game = {"league": "MLB", "home_score": 3, "away_score": 1, "open_home": -150, "open_away": 130}
    rows: list[dict[str, object]] = [{**game, "close_home": "", "close_away": ""}, {**game, "home_score": 1}] * 3
    [report] = moneyline_reports(write(tmp_path / "games.csv.gz", rows), Models(), Predictor(), now=NOW)
    assert report.name == "MLB open, own market"
    assert report.won.tolist() == [True, False] * 3  # ties are left out


def test_grades_that_return_the_less_the_better_they_are_are_inverted() -> None:
    n = 400
    letters = np.tile([0.0, 4.0], n)
    report = PriceReport(
        "x", np.array([float(i // 2) for i in range(2 * n)]), np.full(2 * n, 2.0), letters == 4, letters, letters
    )
    assert report.better_than(["A"], ["F"]).high < 0
    assert report.inverted() == []  # no neighbours
    report = PriceReport("x", report.event, report.decimal, letters == 4, letters, np.where(letters == 4, 1.0, 0.0))
    assert report.inverted() == ["A-B"]


def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv.gz", [{"league": "MLB"}])
    with pytest.raises(ModelError, match="no column result, bet365_home"):
        list(soccer_reports(path, Models(), Predictor(), now=NOW))
    with pytest.raises(ModelError, match="can't be read"):
        list(moneyline_reports(tmp_path / "none.csv", Models(), Predictor(), now=NOW))

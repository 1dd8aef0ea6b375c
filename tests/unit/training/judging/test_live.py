import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from pikkit.bets.columns import BetColumns
from pikkit.errors import ModelError
from pikkit.history.history import SettledBets
from tests.support.slow_import import Lazy
from training.judging.live import EVIDENCE, join
from training.judging.outcomes import outcomes, verdict
from training.reports.told import live_told, tell

report: Any = Lazy("training.reports.page")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def _line(
    at: datetime, p: float = 0.5, grade: str = "C", version: str = "v1", told: Mapping[str, Any] = {}, **bet: Any
) -> Mapping[str, Any]:
    known = {
        "sport": "Basketball",
        "league": "NBA",
        "market": "Moneyline",
        "institution_name": "FanDuel",
        "bet_type": "straight",
        "odds": -110.0,
        "is_live": False,
        "placed_at": None,
    }
    answer: dict[str, Any] = {
        "win_probability": p,
        "expected_roi": 100 * (p * 21 / 11 - 1),
        "kelly_fraction": 0.02,
        "bet_grade": grade,
    }
    answer |= told
    return {
        "at": at.isoformat(),
        "model_version": version,
        "slot": "blue",
        "bet": {**known, **bet},
        "prediction": answer,
    }


def _settled(*times: datetime, won: bool = True, clv: float = float("nan"), **columns: str) -> SettledBets:
    names = {
        "sport": "basketball ",
        "league": "NBA",
        "market": "Moneyline",
        "institution_name": "FANDUEL",
        "bet_type": "Straight",
        **columns,
    }
    n = len(times)
    bets = BetColumns(
        **{name: [value] * n for name, value in names.items()},
        odds=np.full(n, -110.0),
        is_live=np.zeros(n, dtype=np.bool_),
        clv_percentage=np.full(n, clv),
        placed_at=np.array([time.timestamp() for time in times]),
    )
    return SettledBets(bets, np.full(n, won), np.full(n, 1000 / 11 if won else -100.0))


def test_a_settled_bet_gets_the_last_prediction_before_it_was_placed_and_counts_once() -> None:
    lines = [_line(NOON - timedelta(minutes=minutes), p=0.5 + minutes / 1000) for minutes in (-5, 40, 3, 90)]
    live = join(_settled(NOON), lines, within_s=HOUR)
    assert live.judged.probability.tolist() == [0.503]
    assert (live.coverage.lines, live.coverage.matched, live.coverage.used) == (4, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"odds": -115.0},
        {"is_live": True},
        {"league": "WNBA"},
        {"institution_name": "DraftKings"},
        {"at": NOON - timedelta(hours=2)},
        {"at": NOON + timedelta(minutes=1)},
    ],
)
def test_another_bet_or_time_is_no_prediction_of_it(other: dict[str, Any]) -> None:
    line = _line(**{"at": NOON - timedelta(minutes=1), **other})
    with pytest.raises(ModelError, match="none of 1 settled bets was predicted"):
        join(_settled(NOON), [line], within_s=HOUR)


def test_bets_of_one_description_share_a_prediction_and_an_empty_league_is_none() -> None:
    live = join(
        _settled(NOON, NOON + timedelta(minutes=9), league=""),
        [_line(NOON - timedelta(minutes=1), league="None")],
        within_s=HOUR,
    )
    assert (live.coverage.matched, live.coverage.used) == (2, 1)


def test_even_money_is_one_price_with_either_sign() -> None:
    settled = _settled(NOON)
    settled.bets.odds[:] = 100
    assert join(settled, [_line(NOON - timedelta(minutes=1), odds=-100.0)], within_s=HOUR).coverage.matched == 1


def test_what_was_asked_after_its_bet_was_placed_is_left_out_and_told() -> None:
    asked = [
        _line(NOON, placed_at=(NOON - timedelta(minutes=30)).isoformat()),
        _line(NOON, p=0.6, placed_at=(NOON + timedelta(days=3)).isoformat()),
    ]
    live = join(_settled(NOON + timedelta(days=3)), asked, within_s=HOUR)
    assert live.judged.probability.tolist() == [0.6]
    assert any("1 left out" in words for words in live.coverage.words())


def test_predictions_are_picked_by_version_and_time() -> None:
    lines = [_line(NOON - timedelta(hours=h), p=0.5 + h / 100, version=f"v{h}") for h in (1, 2, 3)]
    settled = _settled(NOON)
    assert join(settled, lines, within_s=9 * HOUR, version="v2").judged.probability.tolist() == [0.52]
    with pytest.raises(ModelError, match="the log has 0 lines"):
        join(settled, lines, within_s=9 * HOUR, since=NOON)


def test_what_came_of_each_grade_is_told_with_intervals_and_closing_line_value() -> None:
    times = [NOON + timedelta(hours=3 * i) for i in range(40)]
    lines = [
        _line(time - timedelta(minutes=1), p=0.6, grade="A" if i % 2 else "F", version="new" if i < 20 else "old")
        for i, time in enumerate(times)
    ]
    live = join(_settled(*times, clv=1.5), lines, within_s=HOUR)
    found = {row.name: row for row in outcomes(live)}
    best = found["grade A"]
    assert (best.bets, best.clv_known) == (20, 20)
    assert best.expected == pytest.approx(100 * (0.6 * 21 / 11 - 1))
    assert best.returned.mean == pytest.approx(1000 / 11)
    assert best.kelly.mean == pytest.approx(1000 / 11)
    assert best.clv.mean == pytest.approx(1.5)
    assert [name for name, _ in live.parts()] == ["all", "by model alone", "version new", "version old"]
    assert list(found) == ["all", *(f"grade {x}" for x in "ABCDF"), "by model alone", "version new", "version old"]
    html = report.live_report(live)
    assert "40 of 40 settled bets were predicted" in html
    assert html.count("data:image/svg+xml;base64,") == 2


def test_programs_are_told_the_same_figures_and_null_where_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    live = join(_settled(NOON, NOON, won=False), [_line(NOON - timedelta(minutes=1), grade="B")], within_s=HOUR)
    tell(live_told(live, outcomes(live)))
    told = json.loads(capsys.readouterr().out)
    assert told["coverage"]["matched"] == 2
    row = next(row for row in told["outcomes"] if row["name"] == "grade B")
    assert (row["returned"]["mean"], row["clv"]["mean"], row["clv_known"]) == (-100.0, None, 0)
    assert told["scores"]["all"]["model"]["log_loss"] == pytest.approx(np.log(2))


def test_a_lost_bet_at_kelly_stakes_loses_the_stake() -> None:
    live = join(
        _settled(NOON, NOON, won=False),
        [_line(NOON - timedelta(minutes=1), grade="B")],
        within_s=HOUR,
    )
    row = next(row for row in outcomes(live) if row.name == "grade B")
    assert (row.returned.mean, row.kelly.mean) == (-100.0, -100.0)
    assert np.isnan(row.clv.mean)
    assert row.clv_known == 0


TOLD: Mapping[str, Mapping[str, Any]] = {
    "reference": {"fair_method": "reference", "sample_size": 9},
    "market": {"fair_method": "market", "sample_size": 9},
    "history": {"fair_method": None, "sample_size": 9},
    "model alone": {"fair_method": None, "sample_size": 0},
}


def test_an_owner_sees_which_evidence_earns() -> None:
    assert tuple(TOLD) == EVIDENCE
    times = [NOON + timedelta(hours=3 * i) for i in range(40)]
    settled = _settled(*times)
    settled.bets.clv_percentage[:] = [(3.0, 1.0, -1.0, -3.0)[i % 4] for i in range(40)]
    lines = [
        _line(time - timedelta(minutes=1), told=TOLD[EVIDENCE[i % 4]], grade="A" if i % 2 else "F")
        for i, time in enumerate(times)
    ]
    live = join(settled, lines, within_s=HOUR)
    found = {row.name: row for row in outcomes(live)}
    means = [found[f"by {name}"].clv.mean for name in EVIDENCE]
    assert means == pytest.approx([3.0, 1.0, -1.0, -3.0])
    assert [found[f"by {name}"].bets for name in EVIDENCE] == [10] * 4
    html = report.live_report(live)
    for name in EVIDENCE:
        assert f"<td>by {name}</td>" in html
    order = [verdict(found["all"]), "closing line value (n)", "one unit each", "log loss"]
    assert sorted(order, key=html.index) == order


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (1.5, "beat the closing line"),
        (-1.5, "the closing line beat"),
        (0.0, "neither better nor worse"),
        (None, "no closing line is known"),
    ],
)
def test_the_report_begins_with_what_the_closing_lines_say(mean: float | None, said: str) -> None:
    times = [NOON + timedelta(hours=3 * i) for i in range(200)]
    settled = _settled(*times)
    if mean is not None:
        settled.bets.clv_percentage[:] = np.random.default_rng(0).permutation(np.linspace(mean - 5, mean + 5, 200))
    live = join(settled, [_line(time - timedelta(minutes=1)) for time in times], within_s=HOUR)
    words = verdict(next(outcomes(live)))
    assert said in words


def test_closing_lines_tell_with_far_fewer_bets_than_returns() -> None:
    """Even-money bets whose price is 2 % better than the close: 300 of them show it, their returns don't."""
    n = 300
    times = [NOON + timedelta(hours=3 * i) for i in range(n)]
    won = np.arange(n) % 2 == 0
    settled = _settled(*times)
    settled.bets.odds[:] = 104
    settled.bets.clv_percentage[:] = np.random.default_rng(4).normal(2, 4, n)
    bets = SettledBets(settled.bets, won, np.where(won, 104.0, -100.0))
    live = join(bets, [_line(time - timedelta(minutes=1), odds=104.0) for time in times], within_s=HOUR)
    everything = next(outcomes(live))
    assert everything.clv.low > 0
    assert everything.returned.low < 0 < everything.returned.high
    assert everything.returned.high - everything.returned.low > 10 * (everything.clv.high - everything.clv.low)

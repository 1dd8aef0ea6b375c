"""What the benchmarks make of their figures: medians, ratios to the limit, missed targets."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.compare import CASES, Contestant, table
from benchmarks.serve import Result, _missed

PREDICT = Result("predict", 16, per_second=2000, p50=5, p95=14.9, p99=20, failed=0)
BATCH = Result("batch of 100", 8, per_second=400, p50=18, p95=25, p99=30, failed=0)


def test_figures_at_their_targets_miss_none() -> None:
    assert _missed([PREDICT, BATCH], ready=2.9, peak=299) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"per_second": 1999.0}, "predict: 1999 requests/s, below 2,000"),
        ({"p95": 15.0}, "predict: p95 15.0 ms, not below 15"),
        ({"failed": 1}, "requests failed"),
    ],
)
def test_a_missed_target_of_predict_is_named_with_its_figure(changes: dict[str, float], words: str) -> None:
    assert _missed([dataclasses.replace(PREDICT, **changes), BATCH], 2.9, 299) == [words]  # type: ignore[arg-type]


def test_missed_targets_of_batches_start_and_memory_are_named_with_their_figures() -> None:
    slow = dataclasses.replace(BATCH, per_second=399.0)
    assert _missed([PREDICT, slow], ready=3.0, peak=300) == [
        "batch of 100: 399 requests/s, below 400",
        "ready after 3.0 s, not below 3",
        "300 MiB, not below 300",
    ]


def test_targets_are_read_at_their_own_number_of_clients() -> None:
    alone = dataclasses.replace(PREDICT, clients=1, per_second=900)
    assert _missed([alone, PREDICT, BATCH], 2.9, 299) == []


def contestant(name: str, rates: list[float]) -> Contestant:
    made = Contestant(name, "http://127.0.0.1:1", [], start_s=1.25)
    for title, _, _, clients in CASES:
        for c in clients:
            made.rates[title, c] = list(rates)
            made.p50[title, c] = [1.0, 9.0, 2.0]
            made.p95[title, c] = [2.5, 20.0, 3.5]
            made.p99[title, c] = [3.0, 30.0, 4.0]
            made.cpu_us_per_bet[title, c] = [10.0, 11.0, 500.0]
    return made


def rows(text: str, name: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]


def test_the_table_tells_medians_so_one_disturbed_round_changes_nothing() -> None:
    text = table([contestant("limit", [4000, 10, 4100]), contestant("own", [2000, 2050, 1])])
    predict = rows(text, "own")[0]
    assert predict == ["2,000", "50 %", "2,000", "2.00", "3.50", "4.00", "11"]


def test_the_limit_is_the_whole_of_itself_and_a_batch_counts_a_hundred_bets_each() -> None:
    text = table([contestant("limit", [500, 500, 500]), contestant("own", [400, 400, 400])])
    assert {row[1] for row in rows(text, "limit")[:5]} == {"100 %"}
    assert [row[2] for row in rows(text, "own")[:5]] == ["400"] * 3 + ["40,000"] * 2

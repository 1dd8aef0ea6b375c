"""What the benchmarks make of their figures, and that what they send is what it is said to be."""

from __future__ import annotations

import dataclasses
import json
import time
from itertools import chain, cycle, pairwise, repeat
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.comparison.contestants import NEAR, Case, Contestant
from benchmarks.comparison.latency import SHARES, Stalls, Waits
from benchmarks.comparison.report import BATCH, BEHIND, OWN, OWN_CASES, PREDICT, SHARED_CASES, WORKERS, Results
from benchmarks.comparison.starts import Starts
from benchmarks.load.loops import Load, Opened, arrivals, open_loop
from benchmarks.load.mix import BET, KINDS, bets, one, requests
from benchmarks.serve import GATED, Seen, _missed
from pikkit.bets.reading import read_bet
from tests.support.receiver import Call, StandIn

SEEN = {
    GATED[0]: Seen(Load(rate=1000, p50=5, p95=63.9, p99=70, failed=0), rate=1300),  # a mean of 16 ms
    GATED[1]: Seen(Load(rate=100, p50=80, p95=90, p99=99, failed=0), rate=260),
}


def test_figures_at_their_targets_miss_none() -> None:
    assert _missed(SEEN, start=5.9, peak=299) == []


@pytest.mark.parametrize(
    ("changes", "rate", "words"),
    [
        ({}, 1299.0, "predict: 1299 requests in a processor's second, below 1,300"),
        ({"p95": 64.0}, 1300.0, "predict: p95 64.0 ms, four times the mean of 16.0 ms"),
        ({"failed": 1}, 1300.0, "requests failed"),
    ],
)
def test_a_missed_gate_of_predict_is_named_with_its_figure(changes: dict[str, float], rate: float, words: str) -> None:
    slow = Seen(dataclasses.replace(SEEN[GATED[0]].load, **changes), rate)  # type: ignore[arg-type]
    assert _missed({**SEEN, GATED[0]: slow}, 5.9, 299) == [words]


def test_missed_gates_of_batches_start_and_memory_are_named_with_their_figures() -> None:
    slow = SEEN[GATED[1]]._replace(rate=259.0)
    assert _missed({**SEEN, GATED[1]: slow}, start=6.0, peak=300) == [
        "batch of 100: 259 requests in a processor's second, below 260",
        "a start takes 6.0 s of processor time, not below 6",
        "300 MiB, not below 300",
    ]


def contestant(name: str, rate: float, cases: tuple[Case, ...] = SHARED_CASES) -> Contestant:
    made = Contestant(name, "http://127.0.0.1:1", [], start_s=1.25, memory_mib=170, own_mib=139)
    for case in cases:  # the second of the rounds was disturbed
        made.loads[case] = [Load(r, 1, 2, 3, 0) for r in (rate, rate / 100, 1.02 * rate)]
        made.cpu_us[case] = [100.0, 9000.0, 100.0]
    return made


@pytest.fixture
def results() -> Results:
    limit, tuned, naive = (rival.name for rival in NEAR)
    own = contestant(OWN, 4000, (*SHARED_CASES, *OWN_CASES))
    waits = [Waits(OWN, share, poisson=False, rounds=[(1.0, 4.0, 9.0)] * 3) for share in SHARES]
    started = Starts([1.9], {"predict": [1.0], "explain": [9.0]}, {"predict": [0.5], "explain": [3.0]})
    return Results(
        [contestant(limit, 10_000), own, contestant(BEHIND, 3000), contestant(tuned, 2000), contestant(naive, 900)],
        waits,
        Stalls(200_000, slow=1, held_up=1234, worst_ms=61, failed=0, growth_mib=0.5, floor_slow=0, floor_worst_ms=3),
        started,
        {1: contestant("1", 900, (WORKERS,)), 2: contestant("2", 1500, (WORKERS,))},
    )


AWAY = "but for 1,234 while the machine's cores were taken away"


def test_each_target_says_what_was_seen_and_whether_it_is_met(results: Results) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in results.markdown().splitlines()]
    found = {row[0]: row[1:] for row in rows if len(row) == 4}
    assert found["predict, of the limit"] == ["≥ 0.36", "0.40", "met"]
    assert found["predict, of hand-tuned FastAPI"] == ["≥ 2.6", "2", "**missed**"]
    assert found["p99 at 80 % load, of p50"] == ["≤ 4", "4", "met"]
    assert found[f"requests above 50 ms of 200,000, {AWAY}"] == ["≤ 0", "1", "**missed**"]
    assert found["first answer, of the hundredth"] == ["≤ 2", "2", "met"]
    assert found["first explained answer, of the hundredth"] == ["≤ 2", "3", "**missed**"]
    assert found["memory of the worker, MiB (what it shares with none)"] == ["≤ 140", "139", "met"]


def test_the_median_counts_so_one_disturbed_round_changes_nothing_but_the_spread(results: Results) -> None:
    line = next(line for line in results.markdown().splitlines() if line.startswith(f"| {OWN} | 4,000"))
    assert line == f"| {OWN} |" + " 4,000 ± 50 % |" * len(KINDS) + " 40 % | 4,000 | 1.00 | 3.00 | 100.0 |"
    assert "<svg" in results.picture()


def test_who_answers_nothing_has_no_spread() -> None:
    assert contestant("stuck", 0.0).spread(BATCH["field"]) == 0


def test_a_batch_counts_its_bets(results: Results) -> None:
    assert results.markdown().count(" 400,000 |") == 1
    assert (BATCH["field"].bets, PREDICT["field"].bets) == (100, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_bet_of_a_mix_is_one_that_the_service_takes(kind: str) -> None:
    for bet in bets(kind, 1000):
        read_bet(bet)


def test_the_field_s_mix_has_the_field_s_shares() -> None:
    drawn = bets("field", 2000)
    assert sum("league" not in bet for bet in drawn) == round(0.14 * 2000)
    assert 0.03 < sum("market_prices" in bet for bet in drawn) / 2000 < 0.07
    assert {bet.get("odds_format") for bet in drawn} == {None, "decimal", "fractional"}
    assert {type(bet["odds"]) for bet in drawn} == {int, str, float}
    assert len({json.dumps(bet) for bet in drawn}) > 1700
    assert all("market_prices" in bet for bet in bets("prices", 500))
    pairs = zip(bets("unpriced"), bets("prices"), strict=True)
    assert all({**bare, "market_prices": full["market_prices"]} == full and bare != full for bare, full in pairs)


def test_batches_hold_a_hundred_different_bets_each() -> None:
    batches = requests("field", "/x", batch=100)
    assert len(set(batches)) == 200
    assert {len(json.loads(batch.partition(b"\r\n\r\n")[2])["bets"]) for batch in batches} == {100}


def test_requests_are_due_at_the_rate_evenly_or_by_chance() -> None:
    even, chance = (arrivals(1000, 20_000, poisson=poisson) for poisson in (False, True))
    assert {round(b - a, 6) for a, b in pairwise(even[:100].tolist())} == {0.001}
    assert chance[-1] == pytest.approx(20, rel=0.03)
    assert np.diff(chance).std() == pytest.approx(0.001, rel=0.05)


def test_what_was_not_answered_has_failed_and_has_no_latency() -> None:
    seen = Opened(np.array([1.0, np.nan, 3.0]), seconds=1)
    assert (seen.failed, seen.ms(50)) == (1, 2.0)


def test_what_waited_while_the_machine_was_away_or_right_after_is_told_apart() -> None:
    due = np.array([0.0, 0.95, 1.05, 1.15, 1.25, 1.3])
    seen = Opened(np.array([100.0, 60.0, 60.0, 60.0, 60.0, np.nan]), seconds=2, away=[(1.0, 1.1)])
    assert seen.held_up(due).tolist() == [False, True, True, True, False, False]


def test_a_machine_that_is_away_is_seen_by_what_the_system_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stolen = chain([5.0, 5.01, 5.11], repeat(5.11))  # seconds; the third look tells of a tenth
    monkeypatch.setattr("psutil.cpu_times", lambda: SimpleNamespace(steal=next(stolen)))
    with StandIn() as server:
        seen = open_loop(server.url, cycle([one("/x", BET)]), arrivals(200, 30, poisson=False), connections=1)
    [(begin, end)] = seen.away
    assert end - begin >= 0.1
    assert end <= seen.seconds


def test_a_stall_costs_every_request_that_was_due_meanwhile_not_only_the_one_that_met_it() -> None:
    with StandIn() as server:

        def stalls_once(_call: Call) -> tuple[int, dict[str, str], bytes]:
            if len(server.calls) == 5:
                time.sleep(0.2)
            return (503 if len(server.calls) == 30 else 200), {}, b"{}"

        server.answer = stalls_once
        seen = open_loop(server.url, cycle([one("/x", BET)]), arrivals(200, 30, poisson=False), connections=1)
    assert all(waited >= 199 - 5 * later for later, waited in enumerate(seen.latencies[4:20].tolist()))
    assert seen.failed == 1

"""The simulated worker against what queueing theory knows, and what a fleet does when pods go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.capacity import simulated
from benchmarks.load.loops import arrivals
from benchmarks.scaling.queueing import Cost, Events, Fleet, one_worker

SERVICE = 0.001


def mean_wait(load: float, service: list[float], count: int = 12_000) -> float:
    due = arrivals(load / float(np.mean(service)), count, poisson=True, seed=4)
    return float(np.mean(one_worker(Cost(service), due, seed=5).latencies) - np.mean(service))


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_with_one_service_time_the_wait_is_that_of_m_d_1(load: float) -> None:
    assert mean_wait(load, [SERVICE]) == pytest.approx(load * SERVICE / (2 * (1 - load)), rel=0.08)


def test_with_two_service_times_the_wait_is_pollaczek_s_and_khinchine_s() -> None:
    service, load = [0.0005, 0.0005, 0.0005, 0.0025], 0.5
    rate = load / float(np.mean(service))
    expected = rate * float(np.mean(np.square(service))) / (2 * (1 - load))
    assert mean_wait(load, service) == pytest.approx(expected, rel=0.08)


def test_beyond_its_capacity_a_worker_answers_at_its_capacity_and_the_wait_grows() -> None:
    due = arrivals(1250, 2500, poisson=False)
    seen = one_worker(Cost([SERVICE]), due)
    assert len(due) / seen.last == pytest.approx(1 / SERVICE, rel=0.01)
    assert seen.latencies[-1] == pytest.approx(due[-1] * 0.25, rel=0.02)


def test_a_turn_is_paid_once_for_all_that_wait() -> None:
    seen = one_worker(Cost([SERVICE], turn=0.01), np.array([0.0, 0.001, 0.002]))
    assert seen.latencies.tolist() == pytest.approx([0.011, 0.011 + 0.01 + 0.001 - 0.001, 0.021 + 0.002 - 0.002])


def test_answers_of_one_turn_leave_together_where_they_share_a_call() -> None:
    seen = one_worker(Cost([SERVICE], together=True), np.array([0.0, 0.0, 0.0]))
    assert len(set(seen.latencies.round(9).tolist())) <= 2
    assert seen.latencies.max() == pytest.approx(3 * SERVICE)


def test_beyond_its_limit_a_worker_refuses_and_accepts_what_is_left_of_its_time() -> None:
    due = arrivals(2000, 4000, poisson=False)
    seen = one_worker(Cost([SERVICE], refusal=SERVICE / 10, limit=4), due)
    assert seen.fates["answered"] + seen.fates["refused"] == len(due)
    spent = seen.fates["answered"] * SERVICE + seen.fates["refused"] * SERVICE / 10
    assert spent == pytest.approx(seen.last, rel=0.01)
    assert np.nanmax(seen.latencies) < 0.01


def test_busy_connections_hold_requests_at_the_client_and_lose_none() -> None:
    seen = one_worker(Cost([SERVICE], limit=8), np.zeros(50), connections=4)
    assert seen.fates == {"answered": 50, "refused": 0, "lost": 0}


@pytest.mark.parametrize("policy", ["in turn", "of two"])
def test_a_killed_pod_loses_what_it_had_and_the_others_take_the_rest(policy: str) -> None:
    due = arrivals(5000, 5000, poisson=True)
    fleet = Fleet(Cost([SERVICE]), due, pods=10, policy=policy)

    had = 0

    def killed(fleet: Fleet) -> Events:
        nonlocal had
        yield fleet.env.timeout(0.5)
        had = sum(pod.load for pod in fleet.pods[:4])
        for pod in fleet.pods[:4]:
            pod.kill()
            pod.listed = False
        yield fleet.env.timeout(0.1)
        for pod in fleet.pods[:4]:
            pod.start()
            pod.listed = True

    seen = fleet.run(killed)
    assert seen.fates["lost"] == had > 0
    assert seen.fates["answered"] == len(due) - seen.fates["lost"]


def test_a_slow_pod_holds_up_its_share_in_turn_and_few_where_the_less_busy_is_asked() -> None:
    due = arrivals(6000, 6000, poisson=True)
    p99 = {}
    for policy in ("in turn", "of two"):
        fleet = Fleet(Cost([SERVICE]), due, pods=10, policy=policy)
        fleet.pods[0].pace = 3.0
        p99[policy] = float(np.percentile(fleet.run().latencies, 99))
    assert p99["in turn"] > 5 * p99["of two"]


def test_a_broken_pod_answers_first_so_whoever_asks_the_less_busy_asks_it_more_often() -> None:
    due = arrivals(8000, 4000, poisson=True)
    refused = {}
    for policy in ("in turn", "of two"):
        fleet = Fleet(Cost([SERVICE]), due, pods=10, policy=policy)
        fleet.pods[0].broken = True
        refused[policy] = fleet.run().fates["refused"]
    assert refused["in turn"] == pytest.approx(400, rel=0.02)
    assert refused["of two"] > 450


def test_a_curve_of_one_service_time_is_simulated_as_theory_has_it() -> None:
    curve: dict[str, Any] = {
        "capacity": 1000.0,
        "refusal_us": 0.0,
        "alone_ms": [1.0] * 100,
        "points": [{"share": 0.3}, {"share": 0.6}],
    }
    for point, seen in zip(curve["points"], simulated(curve, together=False), strict=True):
        load = point["share"]
        assert seen["mean_ms"] == pytest.approx(1 + load / (2 * (1 - load)), rel=0.15)
        assert seen["goodput"] == pytest.approx(1000 * load, rel=0.05)
        assert seen["refused"] == 0

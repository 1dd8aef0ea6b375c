"""Slots: whether they live, what they use, how their workers and logs are."""

from __future__ import annotations

from monitoring.prometheus.cases.case import BLUE, GREEN, IS_BLUE, IS_PROBE, NGINX, TRAFFIC, Case, event, level

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    Case(
        "PikkitDown",
        {f"up{{{BLUE}}}": "1x1 0x10", f"up{{{NGINX}}}": "0x10"},
        {2: 0, 3: 1},
        "blue at 127.0.0.1:8001 should run, but can't be scraped",
        IS_BLUE,
    ),
    Case("PikkitDown", {f"up{{{BLUE}}}": "1x2 _x10 stale", f"up{{{GREEN}}}": "1x20"}, {8: 0}),  # stopped on purpose
    Case("PikkitDown", {f"up{{{BLUE}}}": "1 1 0 1x10"}, {2: 0, 3: 0}),
    Case(
        "PikkitSlotHung",
        {f'pikkit_slot_answers{{deployment="blue",{TRAFFIC}}}': "1 1 0x10"},
        {1: 0, 2: 0, 3: 1},
        "blue runs, but answers nobody",
        {"deployment": "blue", **IS_PROBE},
    ),
    Case("PikkitSlotHung", {f'pikkit_slot_answers{{deployment="blue",{TRAFFIC}}}': "1x20"}, {15: 0}),
    Case(
        "PikkitAbsent",
        {f"up{{{NGINX}}}": "1x20"},
        {4: 0, 5: 1},
        "No slot should run: Prometheus has no target",
        {"job": "pikkit"},
    ),
    Case("PikkitAbsent", {f"up{{{BLUE}}}": "0x20"}, {15: 0}),
    Case(
        "PikkitLoadBalancerDown",
        {f"up{{{NGINX}}}": "1 0x10", f"up{{{BLUE}}}": "0x10"},
        {1: 0, 2: 1},
        "Nginx at 127.0.0.1:8009 does not answer on its status port",
        {"instance": "127.0.0.1:8009", "job": "pikkit-lb"},
    ),
    Case("PikkitLoadBalancerDown", {f"up{{{NGINX}}}": "1x20"}, {15: 0}),
    Case(  # the last bet was sent in minute 20
        "PikkitSupervisorSilent",
        {f"up{{{NGINX}}}": "1x60", f"pikkit_probe_duration_seconds{{{TRAFFIC}}}": "0.01+0.001x20 0.03x60"},
        {20: 0, 34: 0, 35: 0, 36: 1},
        "Nobody watches the slots: the supervisor has sent no bet for ten minutes",
        {"instance": "127.0.0.1:8009", "job": "pikkit-lb"},
    ),
    Case(
        "PikkitSupervisorSilent",
        {f"up{{{NGINX}}}": "1x60", f"pikkit_probe_duration_seconds{{{TRAFFIC}}}": "0.01+0.001x60"},
        {59: 0},
    ),
    Case("PikkitSupervisorSilent", {f"up{{{NGINX}}}": "0x60", f"up{{{TRAFFIC}}}": "1x60"}, {59: 0}),
    Case(
        "PikkitWorkerLost",
        {f"pikkit_workers_alive{{{BLUE}}}": "1x20", f"pikkit_workers_expected{{{BLUE}}}": "2x20"},
        {1: 0, 2: 1},
        "Only 1 workers of blue live",
        IS_BLUE,
    ),
    *(
        Case(
            "PikkitWorkerLost",
            {f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20", f"pikkit_workers_expected{{{BLUE}}}": "2x20"},
            {15: 0},
        )
        for alive in (2, 3)
    ),
    *event(
        "PikkitWorkerHung",
        f"pikkit_workers_ended_total{{{BLUE}}}",
        0,
        15,
        summary="A worker of blue answered no more and was replaced",
        labels=IS_BLUE,
    ),
    *level(
        "PikkitMemoryHigh",
        f'pikkit_worker_resident_memory_bytes{{worker="2",{BLUE}}}',
        346030080,
        283115520,
        15,
        summary="Worker 2 of blue uses 330MiB of memory",
        labels={"worker": "2", **IS_BLUE},
    ),
    *level(
        "PikkitStartSlow",
        f"pikkit_worker_start_seconds{{{BLUE}}}",
        16.5,
        13.5,
        1,
        summary="A worker of blue took 16.5s until it served",
        labels=IS_BLUE,
    ),
    *(
        Case(
            "PikkitConcurrencyHigh",
            {f"pikkit_active_requests{{{BLUE}}}": f"{active}x20", f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20"},
            {1: 0, 2: fires},
            "141 requests in progress per worker on blue (503 beyond MAX_CONCURRENCY)" if fires else "",
            IS_BLUE if fires else {},
        )
        for active, alive, fires in ((282, 2, 1), (230, 2, 0), (141, 1, 1), (282, 0, 0))
    ),
    *level(
        "PikkitScrapeIncomplete",
        f'pikkit_scrape_errors{{source="1.worker",{BLUE}}}',
        1,
        0,
        5,
        summary="The metrics of blue are without what 1.worker counted",
        labels={"source": "1.worker", **IS_BLUE},
    ),
)

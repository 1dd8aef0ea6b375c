"""What each command tells word for word, what it makes of the route, and what is on record afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import GateFailed, UsageError
from deploy.flow import operations
from deploy.flow.job import Operation
from deploy.flow.lineage import planned, settings_digest
from deploy.flow.run import run
from deploy.journal.journal import Released
from deploy.proxy.route import Route
from deploy.slot import Slot
from tests.support.deploy_fakes import Rig, made


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Slots are ready at the third look, a prediction takes half a second, a change of the route a quarter."""
    found = made(tmp_path, "0", "1", "2", "3", "4")
    ready, predict, change = found.probe.ready, found.probe.predict, found.router.set
    looks = dict[str, int]()

    def slowly_ready(url: str) -> bool:
        looks[url] = looks.get(url, 0) + 1
        return looks[url] > 2 and ready(url)

    def slowly(url: str, bet: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found.clock.sleep(0.5)
        return predict(url, bet)

    def changed(route: Route) -> None:
        found.clock.sleep(0.25)
        change(route)

    found.probe.ready, found.probe.predict = slowly_ready, slowly  # type: ignore[method-assign]
    found.router.set = changed  # type: ignore[method-assign]
    return found


def candidate(version: str, slot: Slot, claimed: str, *, ready_s: str = "0.0", workers: str = "1 worker") -> list[str]:
    return [
        f"pikkit_ml_api:{version} reused, code tree, models 20260101",
        claimed,
        f"pikkit_ml_api:{version} in {slot} with {workers}",
        f"ready after {ready_s} s",
        "one bet answered; the release has no golden bets",
        "3 requests in 1.50 s",
    ]


def live(slot: Slot, back: str, drained: str, stays: str) -> list[str]:
    return [f"{slot} is production, read back after 250 ms", back, drained, stays]


def told(rig: Rig, operation: Callable[[], Operation]) -> tuple[list[str], list[str], tuple[object, ...]]:
    """What was said, the last words, and the route: production, canary's weight, whether there is one, stand-in."""
    rig.progress.said.clear()
    rig.word.clear()
    run(rig.stack, operation())
    route = rig.stack.route()
    return list(rig.progress.said), list(rig.word), (route.production, route.weight, route.canary, route.spare)


REJECTED = "2 is rejected; blue is left as it is for a look at it"


def test_commands_in_turn(rig: Rig) -> None:
    stack = rig.stack
    assert told(rig, lambda: operations.deploy(stack, "0")) == (
        [
            *candidate("0", "blue", "blue is free", ready_s="0.2"),
            *live("blue", "no release before this one", "nothing to drain", "nothing stays warm"),
        ],
        ["deploy 0 done (was None)"],
        ("blue", 0, False, None),
    )
    assert told(rig, lambda: operations.deploy(stack, "1")) == (
        [
            *candidate("1", "green", "green is free", ready_s="0.2"),
            *live("green", "`rollback` goes to 0", "blue is quiet after 0.2 s", "blue stays warm with 0"),
        ],
        ["deploy 1 done (was 0)"],
        ("green", 0, False, "blue"),
    )
    assert told(rig, lambda: operations.canary(stack, "2", weight=10)) == (
        [
            *candidate("2", "canary", "canary is free", ready_s="0.2"),
            "the canary is started again when it dies",
            "canary gets 10%",
            "no ramp: the share stays until it is changed",
        ],
        ["canary 2 done (was 1)"],
        ("green", 10, True, "blue"),
    )
    assert told(rig, lambda: operations.canary(stack, None, weight=25)) == (
        ["canary gets 25%", "no ramp: the share stays until it is changed"],
        ["canary 2 done (was 1)"],
        ("green", 25, True, "blue"),
    )
    assert told(rig, lambda: operations.promote(stack)) == (
        [
            *("pass", "pass"),
            *candidate("2", "blue", "blue is quiet after 0.2 s, blue freed"),
            *live(
                *("blue", "`rollback` goes to 1", "green is quiet after 0.2 s; canary is quiet after 0.2 s"),
                "green stays warm with 1",
            ),
        ],
        ["promote 2 done (was 1)"],
        ("blue", 0, False, "green"),
    )
    assert told(rig, lambda: operations.rollback(stack)) == (
        [
            "green is warm with 1",
            *live(
                "green",
                "`rollback` goes to 0",
                "blue is quiet after 0.2 s",
                "2 is rejected; blue is left as it is for a look at it",
            ),
        ],
        ["rollback 1 done (was 2)"],
        ("green", 0, False, None),
    )
    assert told(rig, lambda: operations.scale(stack, "green", 3)) == (
        [
            *candidate("1", "blue", "blue freed", workers="3 workers"),
            *live("blue", "`rollback` goes to 0", "green is quiet after 0.2 s", "green stays warm with 1"),
        ],
        ["scale 1 done (was 1)"],
        ("blue", 0, False, "green"),
    )
    told(rig, lambda: operations.canary(stack, "3", weight=5))
    assert told(rig, lambda: operations.abort(stack)) == (
        ["canary gets nothing any more", "canary is quiet after 0.2 s", "canary stopped"],
        ["abort 3 done (was 1)"],
        ("blue", 0, False, "green"),
    )
    assert told(rig, lambda: operations.stop(stack, "green")) == (
        ["green gets nothing any more", "green is quiet after 0.2 s", "green stopped"],
        ["stop 1 done (was 1)"],
        ("blue", 0, False, None),
    )
    digest = settings_digest(stack)
    assert [astuple(one)[:9] for one in stack.journal.releases()] == [
        ("2", "blue", 1, "pikkit_ml_api:2", "sha 2", digest, 2, True, 3),
        ("1", "blue", 3, "pikkit_ml_api:1", "sha 1", digest, 1, False, 2),
        ("0", "blue", 1, "pikkit_ml_api:0", "sha 0", digest, None, False, 1),
    ]


def test_a_slot_that_is_never_ready_is_waited_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    rig = made(tmp_path, "0", "1", ready_timeout_s=7)
    run(rig.stack, operations.deploy(rig.stack, "0"))
    rig.probe.ready = lambda url: not url  # type: ignore[method-assign]
    begin = rig.clock.time
    with pytest.raises(GateFailed, match=r"^green is not fit after 7 s: green is not ready$"):
        run(rig.stack, operations.deploy(rig.stack, "1"))
    assert rig.clock.time - begin == pytest.approx(7.1, abs=0.11)
    assert rig.word[-1] == "deploy 1 refused (was 0): green is not fit after 7 s: green is not ready"
    assert rig.progress.said[-1] == "green was stopped; production is untouched"
    with pytest.raises(UsageError, match=r"^blue is production: stopping it stops the service; `stop` without a slot"):
        operations.stop(rig.stack, "blue")


def test_what_will_be_on_record_is_planned_from_what_is(tmp_path: Path) -> None:
    rig = made(tmp_path, "0", "1", "2")
    stack, digest = rig.stack, settings_digest(rig.stack)

    def new(version: str, slot: Slot, workers: int, before: int | None, bento: str | None = None) -> Released:
        tag = f"pikkit_ml_api:{version}" if bento is None else bento
        models = f"sha {version}" if tag else ""
        return Released(version, slot, workers, bento=tag, models=models, settings=digest, before=before)

    assert planned(stack, "0", "blue", 2) == new("0", "blue", 2, None)
    assert planned(stack, "0", "blue", 2, back=True) == new("0", "blue", 2, None)
    for version in ("0", "1", "2"):
        run(stack, operations.deploy(stack, version))
    first, _, third = (one.id for one in reversed(stack.journal.releases()))
    assert planned(stack, "9", "green", 1) == new("9", "green", 1, third, bento="")
    moved = planned(stack, "2", "green", 4)
    assert (moved.id, moved.slot, moved.workers, moved.rejected) == (third, "green", 4, False)
    back = planned(stack, "0", "green", 3, back=True)
    assert (back.id, back.version, back.slot, back.workers, back.before) == (first, "0", "green", 3, None)
    elsewhere = planned(stack, "9", "green", 1, back=True)
    live = stack.journal.live()
    assert live is not None
    assert elsewhere == new("9", "green", 1, live.before, bento="")
    assert live.before not in (None, third)


def test_a_release_is_run_as_it_was_while_what_slots_are_started_with_is_the_same(tmp_path: Path) -> None:
    usual = settings_digest(made(tmp_path / "a").stack)
    assert len(usual) == 12
    assert set(usual) <= set("0123456789abcdef")
    assert settings_digest(made(tmp_path / "b", warmup_requests=9).stack) == usual
    others = [settings_digest(made(tmp_path / str(n), **told).stack) for n, told in enumerate(STARTED_WITH)]
    assert len({usual, *others}) == 1 + len(STARTED_WITH)


STARTED_WITH: tuple[dict[str, Any], ...] = (
    {"slot_memory": "3g"},
    {"nginx_image": "nginx:other"},
    {"runtime": "docker"},
)

"""What a failed operation leaves behind, by the phase that failed; and the way of what is not as it usually is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import DeployError, GateFailed, RouterError
from deploy.flow import operations
from deploy.flow.recovery import bring_up, explain, recover
from deploy.flow.run import run
from deploy.journal.journal import Operation as UnderWay
from deploy.proxy.route import Route
from deploy.release.release import Golden, Release
from deploy.slot import Slot
from deploy.slots.port import Observed
from tests.support.deploy_fakes import Rig, made, noted


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """0 in production (blue), 1 to be had."""
    found = made(tmp_path, "0", "1")
    run(found.stack, operations.deploy(found.stack, "0"))
    found.progress.said.clear()
    found.runtime.doing.clear()
    return found


def failing(*_: Any, **__: Any) -> Any:
    raise RouterError("no")


def stuck_build(rig: Rig) -> None:
    rig.releases.build = failing  # type: ignore[method-assign]


def stuck_start(rig: Rig) -> None:
    rig.runtime.start = failing  # type: ignore[method-assign]


def stuck_warm(rig: Rig) -> None:
    rig.probe.answer = {}


def unseen(rig: Rig) -> None:
    """The proxy can't be asked either, once the candidate was refused."""
    answer = rig.probe.predict

    def predict(url: str, bet: Any) -> Any:
        rig.router.get = failing  # type: ignore[method-assign]
        return {} if answer(url, bet) else None

    rig.probe.predict = predict  # type: ignore[method-assign]


def stuck_count(rig: Rig) -> None:
    rig.window.open = failing  # type: ignore[method-assign]


def stuck_proxy(rig: Rig) -> None:
    rig.router.finalize = failing  # type: ignore[method-assign]


STOPPED = "was stopped; production is untouched"
LEFT = "has traffic already and is left running"


@pytest.mark.parametrize(
    ("fault", "command", "slot", "said", "running"),
    [
        (stuck_build, "deploy", "green", None, False),
        (stuck_start, "deploy", "green", STOPPED, False),
        (stuck_warm, "deploy", "green", STOPPED, False),
        (stuck_warm, "canary", "canary", STOPPED, False),
        (unseen, "deploy", "green", STOPPED, False),
        (stuck_count, "canary", "canary", LEFT, True),
        (stuck_count, "deploy", "green", LEFT, True),
        (stuck_proxy, "deploy", "green", LEFT, True),
    ],
)
def test_a_candidate_is_stopped_unless_it_has_traffic(
    rig: Rig, fault: Callable[[Rig], None], command: str, slot: Slot, said: str | None, *, running: bool
) -> None:
    operation = getattr(operations, command)(rig.stack, "2")  # which is to be built
    fault(rig)
    calls = noted(rig)
    with pytest.raises(DeployError):
        run(rig.stack, operation)
    assert rig.runtime.slots[slot].running == running
    assert (f"runtime.stop {slot} grace_s=5" in calls) == (said == STOPPED)
    if said is None:
        assert rig.progress.said == []
    else:
        assert rig.progress.said[-1] == f"{slot} {said}"
    assert rig.stack.journal.operation() is None


def test_a_candidate_that_serves_another_set_than_its_releases_is_refused(rig: Rig) -> None:
    start = rig.runtime.start

    def started(slot: Slot, release: Release, **told: Any) -> None:
        start(slot, release, **told)
        rig.runtime.models[slot] = "another set"

    rig.runtime.start = started  # type: ignore[method-assign]
    with pytest.raises(GateFailed, match="green serves model set another set, the release has sha 1"):
        run(rig.stack, operations.deploy(rig.stack, "1"))


def test_what_does_not_run_any_more_neither_stands_in_nor_stays_warm(rig: Rig) -> None:
    run(rig.stack, operations.stop(rig.stack, "blue", force=True))
    run(rig.stack, operations.deploy(rig.stack, "1"))
    assert rig.stack.route().spare is None
    assert rig.progress.said[-2:] == ["blue does not run", "nothing stays warm"]


def test_production_may_be_stopped_where_the_proxy_is_down(rig: Rig) -> None:
    rig.router.up = False
    assert operations.stop(rig.stack, "blue").about == "stop blue; now 0 in blue"


@pytest.mark.parametrize(("models", "said"), [("another set", "one bet answered"), ("sha 0", None)])
def test_golden_bets_are_those_of_the_set_that_is_served(rig: Rig, models: str, said: str | None) -> None:
    golden = (Golden({}, {"win_probability": 0.6}),)  # it answers 0.5
    rig.releases.made["0"] = replace(rig.releases.made["0"], golden=golden)
    rig.runtime.models["blue"] = models
    operation = operations.scale(rig.stack, "blue", 2)
    if said:
        run(rig.stack, operation)
        assert said in rig.progress.said
    else:
        with pytest.raises(DeployError, match="golden bet 0 of 0"):
            run(rig.stack, operation)


def test_a_promotion_has_as_many_workers_as_production_or_as_the_settings_say(rig: Rig) -> None:
    run(rig.stack, operations.canary(rig.stack, "1"))
    for seen, workers in ((5, 5), (0, rig.stack.settings.workers)):
        rig.runtime.slots["blue"] = replace(rig.runtime.slots["blue"], workers=seen)
        assert operations.promote(rig.stack).job.workers == workers


def test_a_promotion_may_bring_older_models_for_the_canary_was_judged_with_them(rig: Rig) -> None:
    rig.releases.made["1"] = replace(rig.releases.made["1"], models_version="20250101")
    run(rig.stack, operations.canary(rig.stack, "1"))
    rig.runtime.models["blue"] = "another set"
    run(rig.stack, operations.promote(rig.stack))
    assert rig.live() == "1"


def test_a_canary_with_older_models_is_refused_as_a_deploy_is(rig: Rig) -> None:
    rig.releases.made["1"] = replace(rig.releases.made["1"], models_version="20250101")
    rig.runtime.models["blue"] = "another set"
    with pytest.raises(DeployError, match="--older-models"):
        run(rig.stack, operations.canary(rig.stack, "1"))
    run(rig.stack, operations.canary(rig.stack, "1", older_models=True))


def test_only_what_is_on_record_as_live_is_rejected(rig: Rig) -> None:
    run(rig.stack, operations.deploy(rig.stack, "1"))
    assert operations.rollback(rig.stack).job.reject == 2
    rig.router.routes.append(Route(9, "blue"))  # it lost a switch
    assert operations.rollback(rig.stack, "1").job.reject is None


def test_a_canary_that_died_is_not_gone_on_with(rig: Rig) -> None:
    run(rig.stack, operations.canary(rig.stack, "1"))
    rig.runtime.stop("canary", grace_s=0)
    rig.stack.journal.begin(UnderWay("canary", "1", "canary", "ramp"))
    recover(rig.stack)
    assert rig.progress.said[-1].endswith(": the canary was stopped")
    assert not rig.stack.route().canary


@pytest.mark.parametrize(
    ("slot", "said"), [("blue", "blue never got traffic and was stopped"), ("canary", "the canary was stopped")]
)
def test_a_command_that_was_interrupted_before_anything_was_live_is_undone(
    tmp_path: Path, slot: Slot, said: str
) -> None:
    rig = made(tmp_path, "0")
    under_way = UnderWay("canary" if slot == "canary" else "deploy", "0", slot, "warm")
    rig.stack.journal.begin(under_way)
    recover(rig.stack)
    assert rig.progress.said == [f"{explain(under_way)}: {said}"]
    assert explain(None) is None


@pytest.mark.parametrize("version", ["0", None])
def test_what_is_started_again_of_a_release_that_is_gone_is_not_looked_at_by_its_gates(
    rig: Rig, version: str | None
) -> None:
    rig.runtime.slots["blue"] = Observed("blue", running=False, version=version)
    rig.releases.delete("0")
    rig.progress.said.clear()
    bring_up(rig.stack, version=None, models=None, workers=None)
    assert rig.progress.said == [f"blue serves {version}"]


def test_a_lock_is_on_record_with_its_command_and_what_it_took_over_is_said(rig: Rig) -> None:
    with rig.stack.lock("deploy scale blue 2") as held:
        assert held.path == rig.stack.settings.run_dir / "lock.json"
        assert str(held.owner()).endswith("at `deploy scale blue 2`")
        with rig.stack.lock("deploy stop"):  # by the same process
            assert rig.progress.said[-1].endswith("at `deploy scale blue 2`, which no longer runs")

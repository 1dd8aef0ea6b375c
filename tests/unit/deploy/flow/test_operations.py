"""What the commands do, by fakes of the ports: which slot is started, switched, kept, stopped, and what is refused."""

from pathlib import Path

import pytest

from deploy.canary.ramp import Ramp, Step
from deploy.errors import CanaryFailed, DeployError, GateFailed, Inconclusive, RouterError, UsageError
from deploy.files import plain
from deploy.flow import operations
from deploy.flow.recovery import bring_up, stop_all
from deploy.flow.run import run
from deploy.release.release import Golden
from tests.support.deploy_fakes import Rig, made, made_release


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """1 in production (green), 0 warm (blue), 2 and 3 to be had."""
    found = made(tmp_path, "0", "1", "2", "3")
    for version in ("0", "1"):
        run(found.stack, operations.deploy(found.stack, version))
    found.progress.phases.clear()
    found.runtime.doing.clear()
    return found


def deploy(rig: Rig, version: str) -> None:
    run(rig.stack, operations.deploy(rig.stack, version))


def canary(rig: Rig, version: str | None, weight: int = 10, ramp: Ramp | None = None) -> None:
    run(rig.stack, operations.canary(rig.stack, version, weight=weight, ramp=ramp))


def test_a_deploy_takes_the_idle_slot_and_leaves_the_other_one_warm_as_a_stand_in(rig: Rig) -> None:
    deploy(rig, "2")
    assert rig.progress.phases == [
        *("build", "claim", "start", "wait", "smoke", "warm", "switch", "record", "drain", "retire"),
    ]
    assert rig.runtime.doing == ["stop blue 0", "start blue 2"]
    route = rig.router.get()
    assert route is not None
    assert (route.production, route.spare) == ("blue", "green")
    assert rig.runtime.slots["blue"].kept
    assert rig.runtime.slots["green"].kept
    assert rig.warm() == {"1", "2"}


def test_the_stand_in_is_let_go_before_its_slot_is_taken(rig: Rig) -> None:
    deploy(rig, "2")
    taken, switched = rig.router.routes[-2:]
    assert (taken.production, taken.spare) == ("green", None)
    assert (switched.production, switched.spare) == ("blue", "green")


def test_a_slot_is_drained_by_its_gauge_before_it_is_stopped(rig: Rig) -> None:
    rig.probe.active["blue"] = [2, 1, 0]
    deploy(rig, "2")
    assert "blue 0" not in rig.progress.said
    rig.probe.active["green"] = [1.0]
    deploy(rig, "3")
    assert any("green still has 1 requests after 40 s" in said for said in rig.progress.said)


def test_a_release_that_ends_before_it_is_ready_leaves_production_and_the_way_back_on_record(rig: Rig) -> None:
    rig.runtime.broken.add("2")
    with pytest.raises(GateFailed, match="ended before it was ready"):
        deploy(rig, "2")
    assert rig.live() == "1"
    assert rig.stack.journal.operation() is None
    previous = rig.stack.journal.previous()
    assert previous is not None
    assert previous.version == "0"


def test_golden_bets_are_asked_of_the_candidate_and_a_wrong_one_refuses_it(rig: Rig) -> None:
    golden = Golden({"sport": "x"}, {"win_probability": 0.5})
    rig.releases.made["2"] = made_release("2", 9, (golden,))
    deploy(rig, "2")
    assert "http://blue" in rig.probe.predicted
    rig.releases.made["3"] = made_release("3", 9, (Golden({}, {"win_probability": 0.6}),))
    with pytest.raises(GateFailed, match=r"golden bet 0 of 3: win_probability is 0\.5, the release says 0\.6"):
        deploy(rig, "3")
    assert rig.live() == "2"


def test_the_candidate_is_warmed_as_often_as_the_setting_says(rig: Rig) -> None:
    rig.probe.predicted.clear()
    deploy(rig, "2")
    assert rig.probe.predicted == ["http://blue"] * 4  # one to see that it answers, three to warm it up


def test_a_proxy_that_refuses_the_route_leaves_production_and_ends_the_candidate(rig: Rig) -> None:
    def refuse(phase: str, title: str) -> None:
        rig.router.refuses = phase == "switch"

    rig.progress.begin = refuse  # type: ignore[method-assign]
    with pytest.raises(RouterError):
        deploy(rig, "2")
    assert rig.live() == "1"
    assert not rig.runtime.slots["blue"].running


def test_a_release_with_older_models_than_were_hot_reloaded_is_refused_unless_it_is_wanted(rig: Rig) -> None:
    rig.runtime.models["green"] = "another set"
    rig.releases.made["2"] = rig.releases.made["2"].__class__(
        **{**plain(rig.releases.made["2"]), "golden": (), "models_version": "20250101"}
    )
    with pytest.raises(UsageError, match="--older-models"):
        deploy(rig, "2")
    run(rig.stack, operations.deploy(rig.stack, "2", older_models=True))
    assert rig.live() == "2"


def test_scaling_by_way_of_the_other_slot_carries_the_models_on_and_keeps_the_way_back(rig: Rig) -> None:
    rig.runtime.models["green"] = "hot-reloaded"
    run(rig.stack, operations.scale(rig.stack, "green", 3))
    route = rig.router.get()
    assert route is not None
    assert route.production == "blue"
    assert rig.runtime.slots["blue"].workers == 3
    assert rig.runtime.models["blue"] == "hot-reloaded"
    live, previous = rig.stack.journal.live(), rig.stack.journal.previous()
    assert live is not None
    assert previous is not None
    assert (live.version, live.workers, previous.version) == ("1", 3, "0")
    with pytest.raises(UsageError, match="scale blue"):
        operations.scale(rig.stack, "green", 2)
    with pytest.raises(UsageError, match="does not run"):
        operations.scale(rig.stack, "canary", 2)


def test_a_canary_gets_its_share_and_is_kept_and_its_share_can_be_changed(rig: Rig) -> None:
    canary(rig, "2", weight=20)
    route = rig.router.get()
    assert route is not None
    assert (route.weight, route.canary, route.production, route.spare) == (20, True, "green", "blue")
    assert rig.runtime.slots["canary"].kept
    salt = route.salt
    canary(rig, None, weight=0)
    route = rig.router.get()
    assert route is not None
    assert (route.weight, route.canary, route.salt) == (0, True, salt)
    assert rig.runtime.doing == ["start canary 2"]
    canary(rig, "3", weight=20)
    route = rig.router.get()
    assert route is not None
    assert route.salt != salt  # another release meets other clients


def test_a_release_is_built_of_the_models_that_are_named(rig: Rig, tmp_path: Path) -> None:
    run(rig.stack, operations.deploy(rig.stack, "8", models=tmp_path))
    run(rig.stack, operations.canary(rig.stack, "9", weight=10))
    assert (rig.releases.models["8"], rig.releases.models["9"]) == (tmp_path, None)


def test_a_ramp_never_lowers_a_share_that_a_canary_has(rig: Rig) -> None:
    canary(rig, "2", weight=50)
    canary(rig, None, ramp=Ramp("", (Step(10, 60), Step(50, 60), Step(100, 60))))
    route = rig.router.get()
    assert route is not None
    assert route.weight == 50


def test_a_promotion_carries_on_the_canarys_models_and_ends_it(rig: Rig) -> None:
    canary(rig, "2")
    rig.runtime.models["canary"] = "hot-reloaded"
    run(rig.stack, operations.promote(rig.stack))
    assert rig.live() == "2"
    assert rig.runtime.models["blue"] == "hot-reloaded"
    assert not rig.runtime.slots["canary"].running
    route = rig.router.get()
    assert route is not None
    assert (route.canary, route.weight, route.spare) == (False, 0, "green")


@pytest.mark.parametrize(("said", "error"), [("fail", CanaryFailed), ("inconclusive", Inconclusive)])
def test_only_force_promotes_what_the_judge_does_not_pass(rig: Rig, said: str, error: type[DeployError]) -> None:
    canary(rig, "2")
    rig.window.said = said  # type: ignore[assignment]
    with pytest.raises(error):
        run(rig.stack, operations.promote(rig.stack))
    assert rig.live() == "1"
    assert rig.runtime.slots["canary"].running
    run(rig.stack, operations.promote(rig.stack, force=True))
    assert rig.live() == "2"
    assert f"{said}, by force" in rig.progress.said


def test_what_the_judge_passes_needs_no_force(rig: Rig) -> None:
    canary(rig, "2")
    run(rig.stack, operations.promote(rig.stack, force=True))
    assert "pass" in rig.progress.said
    assert not [line for line in rig.progress.said if "by force" in line]


def test_an_abort_ends_the_canary_and_never_touches_production(rig: Rig) -> None:
    canary(rig, "2", weight=50)
    run(rig.stack, operations.abort(rig.stack))
    assert rig.live() == "1"
    assert rig.runtime.doing[-1] == "stop canary 2"
    route = rig.router.get()
    assert route is not None
    assert (route.production, route.canary, route.weight, route.spare) == ("green", False, 0, "blue")
    with pytest.raises(UsageError, match="nothing to abort"):
        operations.abort(rig.stack)
    assert rig.live() == "1"


def test_a_rollback_beside_a_canary_moves_production_alone(rig: Rig) -> None:
    canary(rig, "2", weight=30)
    run(rig.stack, operations.rollback(rig.stack))
    route = rig.router.get()
    assert route is not None
    assert (rig.live(), route.canary, route.weight) == ("0", True, 30)
    assert rig.runtime.slots["canary"].running


def test_what_was_rolled_back_stands_in_for_nobody_and_is_not_started_again(rig: Rig) -> None:
    run(rig.stack, operations.rollback(rig.stack))
    route = rig.router.get()
    assert route is not None
    assert route.spare is None
    assert not rig.runtime.slots["green"].kept
    assert rig.runtime.slots["green"].running  # for a look at it
    assert rig.runtime.slots["blue"].kept


def test_the_rollback_target_and_what_slots_hold_are_never_pruned(tmp_path: Path) -> None:
    rig = made(tmp_path, "old", "0", "1", "2", "3", keep_releases=1)
    for version in ("0", "1", "2"):
        deploy(rig, version)
    assert sorted(rig.releases.made) == ["1", "2", "3"]


def test_production_is_stopped_only_by_force_and_a_stand_in_is_let_go_first(rig: Rig) -> None:
    with pytest.raises(UsageError, match="is production"):
        operations.stop(rig.stack, "green")
    run(rig.stack, operations.stop(rig.stack, "blue"))
    route = rig.router.get()
    assert route is not None
    assert route.spare is None
    run(rig.stack, operations.stop(rig.stack, "green", force=True))
    assert rig.warm() == set()


def test_up_brings_back_production_and_canary_and_deploys_what_is_asked_for(rig: Rig) -> None:
    canary(rig, "2")
    stop_all(rig.stack)
    assert rig.warm() == set()
    bring_up(rig.stack, version=None, models=None, workers=None)
    assert rig.live() == "1"
    assert rig.runtime.slots["canary"].running
    assert not rig.runtime.slots["blue"].running
    bring_up(rig.stack, version="3", models=None, workers=None)
    assert rig.live() == "3"


def test_word_is_sent_at_the_end_of_each_operation(rig: Rig) -> None:
    rig.word.clear()
    deploy(rig, "2")
    rig.runtime.broken.add("3")
    with pytest.raises(GateFailed):
        deploy(rig, "3")
    rig.runtime.broken.clear()
    rig.router.refuses = True
    with pytest.raises(RouterError):
        run(rig.stack, operations.rollback(rig.stack, "1"))
    rig.router.refuses = False
    canary(rig, "3")
    canary(rig, None)
    run(rig.stack, operations.abort(rig.stack))
    canary(rig, "3")
    run(rig.stack, operations.promote(rig.stack))
    run(rig.stack, operations.rollback(rig.stack))
    run(rig.stack, operations.scale(rig.stack, rig.stack.route().production, 2))
    run(rig.stack, operations.stop(rig.stack, rig.stack.idle_colour()))
    stop_all(rig.stack)
    assert [word.partition(" (was")[0] for word in rig.word] == [
        *("deploy 2 done", "deploy 3 refused", "rollback 1 failed", "canary 3 done", "canary 3 done", "abort 3 done"),
        *("canary 3 done", "promote 3 done", "rollback 2 done", "scale 2 done", "stop 2 done", "stop  done"),
    ]
    assert rig.word[1] == "deploy 3 refused (was 2): green ended before it was ready"


@pytest.mark.parametrize(
    ("command", "first"),
    [
        (lambda stack: operations.deploy(stack, "3"), "deploy 3 (reused) into blue; now 1 in green"),
        (lambda stack: operations.canary(stack, "2"), "canary 2 from 10% to 10%; now 1 in green"),
        (operations.promote, "promote 2 into blue; now 1 in green"),
        (operations.rollback, "switch back to 0, warm in blue; now 1 in green"),
        (lambda stack: operations.rollback(stack, "3"), "start 3 anew in blue and switch back; now 1 in green"),
        (operations.abort, "end canary 2; now 1 in green, which stays"),
    ],
)
def test_a_plan_is_what_would_be_run_and_changes_nothing(rig: Rig, command: object, first: str) -> None:
    canary(rig, "2")
    before = list(rig.router.routes)
    rig.progress.phases.clear()
    planned = command(rig.stack)  # type: ignore[operator]
    lines = planned.lines()
    assert lines[0] == first
    assert (rig.router.routes, rig.progress.phases) == (before, [])
    run(rig.stack, planned)
    assert [line.split()[1] for line in lines[1:]] == rig.progress.phases

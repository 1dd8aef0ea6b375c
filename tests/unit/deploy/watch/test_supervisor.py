"""What the supervisor does at a look, by fakes: heals, judges, goes back, and outlives whatever goes wrong."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

from deploy.canary.judge import Outcome, Verdict
from deploy.canary.ramp import Ramp, Step
from deploy.canary.sample import LOG
from deploy.errors import DeployError
from deploy.flow import operations, ramping
from deploy.flow.progress import Progress
from deploy.flow.run import run
from deploy.journal.journal import Operation
from deploy.watch.observation import Observation
from deploy.watch.supervisor import Supervisor
from tests.support.deploy_fakes import Rig, made

RAMP = Ramp("", (Step(10, 60), Step(50, 60), Step(100, 60)))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """1 in production (blue), 2 to be had."""
    found = made(tmp_path, "1", "2", judge_interval=15)
    run(found.stack, operations.deploy(found.stack, "1"))
    return found


def supervisor(rig: Rig) -> Supervisor:
    return Supervisor(rig.stack)


def looks(rig: Rig, count: int, every: float = 15.0, by: Supervisor | None = None) -> None:
    one = by or supervisor(rig)
    for _ in range(count):
        one.look()
        rig.clock.sleep(every)


def ramped(rig: Rig, ramp: Ramp = RAMP) -> None:
    run(rig.stack, operations.canary(rig.stack, "2", ramp=ramp))


def weight(rig: Rig) -> int | None:
    route = rig.router.get()
    return route.weight if route and route.canary else None


def test_what_died_is_started_again_and_word_is_sent(rig: Rig) -> None:
    rig.runtime.stop("blue", grace_s=0)
    rig.runtime.keep("blue", kept=True)
    rig.router.up = False
    rig.word.clear()
    supervisor(rig).look()
    assert rig.runtime.slots["blue"].running
    assert rig.router.up
    assert rig.word == ["blue had died and was started again", "Nginx had died and was started again"]


def test_what_serves_is_kept_though_no_command_could_note_that_but_not_what_was_stopped(rig: Rig) -> None:
    rig.runtime.keep("blue", kept=False)  # as after a rollback on a full disk
    with rig.stack.lock("deploy stop blue --force"):
        supervisor(rig).look()
        assert not rig.runtime.slots["blue"].kept
    with rig.stack.lock("deploy deploy --version 2"):  # may take its time
        supervisor(rig).look()
        assert rig.runtime.slots["blue"].kept
    rig.runtime.slots["blue"] = replace(rig.runtime.slots["blue"], running=False)  # killed
    looks(rig, 1)
    assert rig.runtime.slots["blue"].running
    run(rig.stack, operations.stop(rig.stack, "blue", force=True))
    looks(rig, 3)
    assert not rig.runtime.slots["blue"].running


def test_a_candidate_that_died_is_left_alone(rig: Rig) -> None:
    rig.runtime.stop("blue", grace_s=0)
    supervisor(rig).look()
    assert not rig.runtime.slots["blue"].running


def test_a_lost_route_is_put_back(rig: Rig) -> None:
    one = supervisor(rig)
    one.look()
    before = rig.router.get()
    rig.router.wanted = lambda: True  # type: ignore[method-assign]
    rig.router.routes.clear()
    one.look()
    assert rig.router.get() == before


def test_a_good_canary_is_held_at_each_step_and_then_promoted(rig: Rig) -> None:
    ramped(rig)
    one = supervisor(rig)
    seen = []
    for _ in range(12):
        looks(rig, 1, by=one)
        seen.append(weight(rig))
    assert seen == [10, 10, 10, 10, 50, 50, 50, 50, None, None, None, None]  # looks 15 s apart, 60 s a step
    assert rig.live() == "2"
    assert rig.stack.journal.fact("ramp") is None


def test_a_bad_canary_is_ended_at_the_next_look(rig: Rig) -> None:
    ramped(rig)
    rig.window.said = "fail"
    looks(rig, 1)
    assert (weight(rig), rig.live()) == (None, "1")
    assert not rig.runtime.slots["canary"].running
    assert any("was worse at 10%" in word for word in rig.word)


def test_a_canary_that_can_not_be_judged_is_held_and_goes_on_by_hand(rig: Rig) -> None:
    ramped(rig)
    rig.window.said = "inconclusive"
    one = supervisor(rig)
    looks(rig, 20, by=one)
    ramp = rig.stack.ramp
    assert ramp is not None
    assert (ramp.state, weight(rig), rig.live()) == ("paused", 10, "1")
    rig.window.said = "pass"
    looks(rig, 20, by=one)
    assert weight(rig) == 10  # only by hand
    ramping.resume(rig.stack)
    looks(rig, 1, by=one)
    assert weight(rig) == 50


def test_a_paused_canary_that_turns_out_worse_is_ended_all_the_same(rig: Rig) -> None:
    ramped(rig)
    ramping.pause(rig.stack)
    looks(rig, 10)
    assert weight(rig) == 10
    rig.window.said = "fail"
    looks(rig, 1)
    assert weight(rig) is None


def test_with_gates_each_step_waits_for_resume(rig: Rig) -> None:
    ramped(rig, Ramp("", RAMP.steps, manual=True))
    one = supervisor(rig)
    looks(rig, 20, by=one)
    assert weight(rig) == 10
    ramping.resume(rig.stack)
    assert weight(rig) == 50
    looks(rig, 20, by=one)
    assert weight(rig) == 50
    ramping.resume(rig.stack)
    assert rig.live() == "2"


def test_the_time_that_nobody_looked_on_does_not_count(rig: Rig) -> None:
    ramped(rig)
    looks(rig, 3)
    rig.clock.sleep(10_000)  # the machine was off
    looks(rig, 1)
    assert weight(rig) == 10


@pytest.mark.parametrize("outcome", ["fail", "pass"])
def test_what_an_interrupted_command_left_is_settled_before_a_ramp_moves_anything(rig: Rig, outcome: Outcome) -> None:
    ramped(rig)
    deploy = operations.deploy(rig.stack, "1")
    rig.stack.journal.begin(Operation("deploy", "1", deploy.job.slot, "wait"))  # it was killed with this candidate
    rig.runtime.start(deploy.job.slot, rig.releases.build("1", None), workers=1)
    rig.window.said = outcome
    looks(rig, 1)
    assert not rig.runtime.slots[deploy.job.slot].running
    assert rig.stack.journal.operation() is None
    assert "recover" in [entry["command"] for entry in rig.stack.journal.entries()]
    assert weight(rig) == (None if outcome == "fail" else 10)


def test_a_canary_that_another_command_ended_takes_its_ramp_with_it(rig: Rig) -> None:
    ramped(rig)
    run(rig.stack, operations.abort(rig.stack))
    looks(rig, 1)
    assert rig.stack.journal.fact("ramp") is None


def test_a_deploy_beside_a_canary_has_the_judge_count_anew(rig: Rig) -> None:
    ramped(rig)
    before = rig.stack.journal.fact("baseline")
    rig.clock.sleep(5)
    run(rig.stack, operations.deploy(rig.stack, "3"))
    told = rig.stack.journal.fact("baseline")
    assert told["production"] == "green"
    assert told["at"] != before["at"]


@pytest.mark.parametrize(("after", "live"), [("pass", "2"), ("inconclusive", "2"), ("fail", "1")])
def test_a_promotion_is_watched_and_taken_back_when_it_is_worse(rig: Rig, after: str, live: str) -> None:
    run(rig.stack, operations.canary(rig.stack, "2"))
    run(rig.stack, operations.promote(rig.stack))
    rig.window.after = after  # type: ignore[assignment]
    one = supervisor(rig)
    looks(rig, 3, by=one)
    assert rig.live() == live
    looks(rig, 50, by=one)
    assert rig.stack.journal.fact("watch") is None  # it has an end
    rig.window.after = "fail"
    looks(rig, 3, by=one)
    assert rig.live() == live


def test_a_certificate_is_looked_at_every_minute_and_only_where_there_is_one(tmp_path: Path) -> None:
    for settings, expected in (({}, 0), ({"tls_certificate": tmp_path / "c", "tls_key": tmp_path / "k"}, 2)):
        found = made(tmp_path, "1", **settings)
        run(found.stack, operations.deploy(found.stack, "1"))
        found.router.reconcile = Mock()  # type: ignore[method-assign]
        looks(found, 7, every=15, by=supervisor(found))
        assert found.router.reconcile.call_count == expected


def test_a_watch_ends_with_what_moves_production(rig: Rig) -> None:
    for back in (operations.rollback, lambda stack: operations.deploy(stack, "3")):
        run(rig.stack, operations.canary(rig.stack, "2"))
        run(rig.stack, operations.promote(rig.stack))
        run(rig.stack, back(rig.stack))
        run(rig.stack, operations.deploy(rig.stack, "2"))  # by and by the same release in the same slot
        assert rig.stack.journal.fact("watch") is None


def test_watching_is_off_by_a_setting_and_after_a_deploy(tmp_path: Path) -> None:
    rig = made(tmp_path, "1", "2", "3", watch=0)
    run(rig.stack, operations.deploy(rig.stack, "1"))
    run(rig.stack, operations.canary(rig.stack, "2"))
    run(rig.stack, operations.promote(rig.stack))
    rig.window.after = "fail"
    looks(rig, 3)
    assert rig.live() == "2"


@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), DeployError("the port is taken by a stranger"), ValueError("damaged")],
)
def test_the_supervisor_outlives_what_goes_wrong_and_tells_it_once(rig: Rig, fault: Exception) -> None:
    def fail(limit: int) -> None:
        raise fault

    rig.runtime.rotate_logs = fail  # type: ignore[method-assign]
    rig.runtime.stop("blue", grace_s=0)
    rig.runtime.keep("blue", kept=True)
    one = supervisor(rig)
    looks(rig, 5, by=one)
    assert rig.runtime.slots["blue"].running
    assert sum(str(fault) in said for said in rig.progress.said) == 1


def test_the_supervisor_outlives_a_log_that_takes_no_line_and_a_message_like_markup(rig: Rig) -> None:
    def fail(limit: int) -> None:
        raise DeployError("Nginx says [emerg] and [/]")

    rig.runtime.rotate_logs = fail  # type: ignore[method-assign]
    with Path("/dev/full").open("w") as full:
        rig.stack.progress = Progress(Console(file=full))
        looks(rig, 3)
        rig.stack.progress.verdict(Verdict("pass", ()), 10)
        with contextlib.suppress(OSError):
            full.close()
    shown = io.StringIO()
    Progress(Console(file=shown)).say("Nginx says [emerg] and [/]")
    assert "[emerg] and [/]" in shown.getvalue()


def test_a_bet_through_the_proxy_and_a_slot_that_hangs_are_told_to_prometheus(rig: Rig) -> None:
    seen = rig.probe._seen
    rig.probe._seen = lambda url: rig.runtime.slots["blue"] if "8000" in url else seen(url)  # type: ignore[method-assign]
    observation = Observation(rig.stack)
    observation.probe()
    assert "pikkit_probe_success 1" in observation.text()
    assert 'pikkit_slot_answers{deployment="blue"} 1' in observation.text()
    rig.probe._seen = lambda _: None  # type: ignore[assignment,method-assign] # nothing answers, all runs
    rig.word.clear()
    for _ in range(3):
        observation.probe()
    assert "pikkit_probe_success 0" in observation.text()
    assert 'pikkit_slot_answers{deployment="blue"} 0' in observation.text()
    assert rig.word == ["blue runs but has not answered 3 times in a row: a worker hangs"]
    observation.count()
    written = (rig.stack.settings.run_dir / "nginx/metrics/balancer.prom").read_text()
    assert "# TYPE pikkit_lb_requests_total counter" in written
    log = rig.stack.settings.run_dir / "nginx/logs" / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("1.0\tblue\tother\t200\t0.030\t0\t127.0.0.1\n1.0\tnginx\tother\t502\t-\t0\t127.0.0.1\n")
    observation.count()
    told = observation.text()
    assert 'pikkit_lb_requests_total{deployment="blue",status="2xx"} 1.0' in told
    assert 'pikkit_lb_requests_total{deployment="nginx",status="5xx"} 1.0' in told
    assert 'pikkit_lb_requests_total{deployment="canary",status="5xx"} 0.0' in told  # so that the first is an increase
    assert 'pikkit_lb_upstream_seconds_bucket{deployment="blue",le="0.05"} 1.0' in told
    assert 'upstream_seconds_count{deployment="nginx"}' not in told
    assert "_created" not in told

"""What each command changes, call by call with all that the parts are told, and what is said and sent of it.

The transcripts are the files beside this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.canary.judge import Outcome
from deploy.canary.ramp import Ramp, Step
from deploy.errors import DeployError
from deploy.flow import operations, ramping
from deploy.flow.job import Operation
from deploy.flow.recovery import bring_up, recover, stop_all
from deploy.flow.run import run
from deploy.flow.stack import Stack
from deploy.journal.journal import Operation as UnderWay
from deploy.slot import Slot
from deploy.slots.port import Observed
from tests.support.deploy_fakes import Killed, Rig, made, noted

RAMP = Ramp("", (Step(10, 30), Step(50, 30)))


def rigged(folder: Path) -> Rig:
    """No two waits are the same, and each sleep takes 1.23 ms more than was asked for."""
    waits = {"stop_grace_s": 7, "drain_timeout_s": 9, "ready_timeout_s": 3, "watch": 40}
    rig = made(folder, "0", "1", "2", "3", **waits)
    sleep = rig.clock.sleep
    rig.clock.sleep = lambda seconds: sleep(seconds + 0.00123)  # type: ignore[method-assign]
    return rig


def command(operation: Callable[[Stack], Operation]) -> Callable[[Rig], object]:
    return lambda rig: run(rig.stack, operation(rig.stack))


def up(version: str | None = None, workers: int | None = None) -> Callable[[Rig], object]:
    models = Path("models") if version else None
    return lambda rig: bring_up(rig.stack, version=version, models=models, workers=workers)


def hot_reloaded(rig: Rig) -> None:
    rig.runtime.models["canary"] = "another set"
    up()(rig)


def gone(stack: Stack) -> Operation:
    """The canary is known to nobody."""
    stack.runtime.slots["canary"] = Observed("canary", running=False)  # type: ignore[attr-defined]
    return operations.abort(stack)


def never_ready(rig: Rig) -> None:
    stop_all(rig.stack)
    rig.probe.ready = lambda url: not url  # type: ignore[method-assign]
    up()(rig)


def look(seconds: float, said: Outcome = "pass", *, broken: str = "") -> Callable[[Rig], object]:
    def do(rig: Rig) -> object:
        rig.window.said = said
        rig.runtime.broken = {broken}
        return ramping.look_at_ramp(rig.stack, seconds)

    return do


def look_after(seconds: float, after: Outcome) -> Callable[[Rig], object]:
    def do(rig: Rig) -> object:
        rig.window.after = after
        return ramping.look_at_promotion(rig.stack, seconds)

    return do


def resume(said: Outcome = "pass") -> Callable[[Rig], object]:
    def do(rig: Rig) -> object:
        rig.window.said = said
        return ramping.resume(rig.stack)

    return do


def pause(rig: Rig) -> object:
    return ramping.pause(rig.stack)


def another(rig: Rig) -> object:
    """Another canary than the ramp's runs."""
    rig.runtime.slots["canary"] = replace(rig.runtime.slots["canary"], version="9")
    return look(1)(rig)


def canary(version: str, *, manual: bool = False) -> Callable[[Rig], object]:
    return command(lambda stack: operations.canary(stack, version, ramp=replace(RAMP, manual=manual)))


def interrupted(
    command: str, version: str, slot: Slot, phase: str, reject: int | None = None
) -> tuple[str, Callable[[Rig], object]]:
    def do(rig: Rig) -> object:
        rig.stack.journal.begin(UnderWay(command, version, slot, phase, reject=reject))
        recover(rig.stack)
        return rig.stack.ramp

    return f"{command} into {slot} at {phase}", do


def transcript(rig: Rig, steps: Sequence[tuple[str, Callable[[Rig], object]]]) -> list[str]:
    lines, calls = list[str](), noted(rig)
    for name, step in steps:
        for told in (calls, rig.progress.said, rig.word):
            told.clear()
        try:
            found = step(rig)
            ended = "" if found is None else f" -> {found}"
        except (DeployError, Killed) as error:
            ended = f" {type(error).__name__} {error}".rstrip()
        said, word = (f"{what}: {'; '.join(told)}" for what, told in (("said", rig.progress.said), ("word", rig.word)))
        lines += [f"== {name}{ended}", *calls, said, word]
    return [line.rstrip() for line in lines]


COMMANDS = (
    ("first", up(None, None)),
    ("canary", command(lambda stack: operations.canary(stack, "3", ramp=RAMP))),
    ("share", command(lambda stack: operations.canary(stack, None, weight=25))),
    ("abort", command(operations.abort)),
    ("deploy", command(lambda stack: operations.deploy(stack, "1", workers=2))),
    ("canary again", command(lambda stack: operations.canary(stack, "2"))),
    ("promote", command(operations.promote)),
    ("rollback", command(operations.rollback)),
    ("rollback to what is not warm", command(lambda stack: operations.rollback(stack, "3"))),
    ("scale", command(lambda stack: operations.scale(stack, "blue", 3))),
    ("stop", command(lambda stack: operations.stop(stack, "blue"))),
    ("stop production", command(lambda stack: operations.stop(stack, "green", force=True))),
    ("up", up()),
    ("canary of 1", command(lambda stack: operations.canary(stack, "1", weight=50))),
    ("stop all", lambda rig: stop_all(rig.stack)),
    ("up with a canary that has hot-reloaded models", hot_reloaded),
    ("up with the live version", up("3", 4)),
    ("up with another", up("2", 4)),
    ("abort what is gone", command(gone)),
    ("up with what is never ready", never_ready),
)
RAMPS = (
    ("no ramp", look(1)),
    ("no ramp to hold", pause),
    ("no ramp to go on with", resume()),
    ("no promotion", look_after(1, "fail")),
    ("deploy", command(lambda stack: operations.deploy(stack, "0"))),
    ("canary", canary("1")),
    ("early", look(10)),
    ("pause", pause),
    ("paused", look(100)),
    ("resume", resume()),
    ("resume what is not held", resume()),
    ("too little", look(20, "inconclusive")),
    ("resume after that", resume()),
    ("next step", look(1)),
    ("promoted", look(30)),
    ("watched", look_after(30, "pass")),
    ("watched with too little", look_after(9, "inconclusive")),
    ("watched to the end", look_after(1, "pass")),
    ("not watched any more", look_after(1, "fail")),
    ("canary with gates", canary("2", manual=True)),
    ("at the gate", look(30)),
    ("through the gate", resume()),
    ("at the last gate", look(30)),
    ("undecided at the last gate", resume("inconclusive")),
    ("resume from there", resume()),
    ("at the last gate again", look(0)),
    ("through the last gate", resume()),
    ("worse than before", look_after(5, "fail")),
    ("canary that can't be promoted", canary("3")),
    ("its next step", look(30)),
    ("its promotion", look(30, broken="3")),
    ("worse", look(0, "fail")),
    ("canary again", canary("3")),
    ("another one", another),
)
RECOVERED = (
    ("deploy", command(lambda stack: operations.deploy(stack, "0"))),
    ("nothing", lambda rig: recover(rig.stack)),
    interrupted("deploy", "1", "green", "begin"),
    interrupted("deploy", "1", "green", "build"),
    interrupted("promote", "1", "green", "judge"),
    interrupted("deploy", "1", "green", "claim"),
    ("deploy 1", command(lambda stack: operations.deploy(stack, "1"))),
    interrupted("stop", "0", "blue", "drain"),
    interrupted("rollback", "0", "blue", "switch"),
    interrupted("deploy", "1", "green", "drain"),
    interrupted("rollback", "1", "green", "record", reject=1),
    ("canary", canary("2")),
    interrupted("canary", "2", "canary", "ramp"),
    interrupted("abort", "2", "canary", "drain"),
    interrupted("canary", "2", "canary", "wait"),
)


@pytest.mark.parametrize(("of", "steps"), [("processes", COMMANDS), ("ramps", RAMPS), ("recovery", RECOVERED)])
def test_each_command_changes_what_is_written_in_that_order_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str, steps: Sequence[tuple[str, Callable[[Rig], object]]]
) -> None:
    monkeypatch.delenv("APP_VERSION", raising=False)
    expected = Path(__file__).with_name(f"calls_{of}.txt").read_text(encoding="utf-8")
    assert transcript(rigged(tmp_path), steps) == expected.splitlines()

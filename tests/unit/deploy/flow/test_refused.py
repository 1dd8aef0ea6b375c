"""What can't be done is refused before anything is begun, word for word; and what a command makes of its options."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.canary.ramp import Ramp, Step
from deploy.errors import DeployError
from deploy.flow import operations
from deploy.flow.job import Job, Operation
from deploy.flow.recovery import bring_up
from deploy.flow.run import run
from deploy.flow.stack import Stack
from deploy.proxy.route import Route
from tests.support.deploy_fakes import Rig, made, made_release, noted

OLDER = (
    "blue serves model set 20260101, loaded after release 0 was built; 1 has the older 20250101: "
    "build it with the new set (--models), or say --older-models"
)
Command = Callable[[Stack], object]
NOTHING_LIVE = "nothing is in production: `python -m deploy up` or `deploy --version V` first"


def command(operation: Callable[[Stack], Operation]) -> Callable[[Stack], None]:
    return lambda stack: run(stack, operation(stack))


def deployed(*versions: str) -> tuple[Callable[[Stack], None], ...]:
    return tuple(command(lambda stack, version=version: operations.deploy(stack, version)) for version in versions)  # type: ignore[misc]


def worse(stack: Stack, outcome: str) -> None:
    stack.window.said = outcome  # type: ignore[attr-defined]
    run(stack, operations.promote(stack))


def unfit(stack: Stack) -> None:
    operation = operations.rollback(stack)
    stack.probe.ready = lambda url: not url  # type: ignore[method-assign]
    run(stack, operation)


def deaf(stack: Stack) -> None:
    """The proxy takes a route, and goes on with the one that it has."""
    rest = list[Route]()
    stack.router.set = rest.append  # type: ignore[method-assign,assignment]
    run(stack, operations.deploy(stack, "1"))


def older(stack: Stack) -> None:
    stack.runtime.models["blue"] = "another set"  # type: ignore[attr-defined]
    releases: dict[str, Any] = stack.releases.made  # type: ignore[attr-defined]
    releases["1"] = replace(releases["1"], models_version="20250101")
    run(stack, operations.deploy(stack, "1"))


def without_bets(operation: Callable[[Stack, str], Operation]) -> Callable[[Stack], Operation]:
    def refused(stack: Stack) -> Operation:
        stack.settings = stack.settings.model_copy(update={"validate_bets": Path("/none")})
        return operation(stack, "1")

    return refused


def older_built(stack: Stack) -> None:
    stack.runtime.models["blue"] = "another set"  # type: ignore[attr-defined]
    new = replace(made_release("9"), models_version="20250101")
    stack.releases.build = lambda *_: new  # type: ignore[method-assign]
    run(stack, operations.deploy(stack, "9"))


@pytest.mark.parametrize(
    ("before", "refused", "said"),
    [
        ((), lambda stack: operations.canary(stack, "1"), NOTHING_LIVE),
        ((), operations.rollback, NOTHING_LIVE),
        (deployed("0"), lambda stack: operations.canary(stack, None), "no canary runs: name its --version"),
        (deployed("0"), operations.promote, "no canary runs: there is nothing to promote"),
        (
            deployed("0"),
            operations.abort,
            "no canary runs: there is nothing to abort (`rollback` is what moves production)",
        ),
        ((), operations.abort, "no canary runs: there is nothing to abort (`rollback` is what moves production)"),
        (
            deployed("0"),
            lambda stack: operations.stop(stack, "blue"),
            "blue is production: stopping it stops the service; `stop` without a slot stops all",
        ),
        (
            deployed("0"),
            lambda stack: operations.scale(stack, "green", 2),
            "green does not run: there is nothing to scale",
        ),
        (
            deployed("0", "1"),
            lambda stack: operations.scale(stack, "blue", 2),
            "blue has no production traffic: scale green",
        ),
        (
            deployed("0"),
            operations.rollback,
            "there is no release to go back to: 0 stays in production; kept are 2, 1: `rollback VERSION`",
        ),
        (
            deployed("0"),
            lambda stack: operations.rollback(stack, "0"),
            "0 is live already: there is nothing to go back to it from",
        ),
        (
            deployed("0"),
            lambda stack: operations.rollback(stack, "9"),
            "release 9 is gone: deploy another version",
        ),
        (
            (*deployed("0"), command(lambda stack: operations.canary(stack, "1"))),
            lambda stack: worse(stack, "fail"),
            "the canary is worse than production: `abort` ends it, `promote --force` ignores it",
        ),
        (
            (*deployed("0"), command(lambda stack: operations.canary(stack, "1"))),
            lambda stack: worse(stack, "inconclusive"),
            "too little was seen of the canary: wait for traffic, or `promote --force`",
        ),
        (
            deployed("0", "1"),
            unfit,
            "blue is not ready: can't go back to it at once",
        ),
        (
            deployed("0"),
            deaf,
            "the proxy tells route r000001.blue.w0.off.s0.fnone, not r000002.green.w0.off.s0.fblue: see its error log",
        ),
        (
            (),
            deaf,
            "the proxy tells route None, not r000001.blue.w0.off.s0.fnone: see its error log",
        ),
        (
            (),
            lambda _: Job("deploy", "7", "blue", 1).built(),
            "7 was not built yet: this is a fault of the phase table",
        ),
        (
            deployed("0"),
            older,
            OLDER,
        ),
        (deployed("0"), older_built, OLDER.replace("; 1 has", "; 9 has")),
        *(
            (
                deployed("0"),
                without_bets(operation),
                "DEPLOY_VALIDATE_BETS=/none is no file: name one with settled bets, or leave it out",
            )
            for operation in (operations.deploy, operations.canary)
        ),
    ],
)
def test_what_can_not_be_done_says_why_and_what_can(
    tmp_path: Path, before: tuple[Command, ...], refused: Command, said: str
) -> None:
    rig = made(tmp_path, "0", "1", "2")
    for step in before:
        step(rig.stack)
    with pytest.raises(DeployError) as told:
        refused(rig.stack)
    assert str(told.value) == said


STEPS = (Step(10, 30), Step(50, 30))
MODELS = Path("models")


@pytest.mark.parametrize(
    ("make", "job", "about"),
    [
        (
            lambda stack: operations.deploy(stack, "9", models=MODELS, workers=5, as_built=True, older_models=True),
            Job("deploy", "9", "green", 5, models=MODELS, older_models=True),
            "deploy 9 (to be built) into green; now 0 in blue",
        ),
        (
            lambda stack: operations.deploy(stack, "1"),
            Job("deploy", "1", "green", 3, release=made_release("1", 1)),
            "deploy 1 (reused) into green; now 0 in blue",
        ),
        (
            lambda stack: operations.canary(stack, "9", models=MODELS, weight=7, as_built=True, older_models=True),
            Job("canary", "9", "canary", 3, models=MODELS, weight=7, older_models=True),
            "canary 9 with 7%; now 0 in blue",
        ),
        (
            lambda stack: operations.canary(stack, "1", models=MODELS),  # started anew though it runs
            Job("canary", "1", "canary", 3, models=MODELS, weight=10, release=made_release("1", 1)),
            "canary 1 with 10%; now 0 in blue",
        ),
        (
            lambda stack: operations.canary(stack, "2", ramp=Ramp("", STEPS)),  # another one begins at the first step
            Job("canary", "2", "canary", 3, weight=10, ramp=Ramp("2", STEPS), release=made_release("2", 2)),
            "canary 2 with 10%; now 0 in blue",
        ),
        (
            lambda stack: operations.canary(stack, "1", ramp=Ramp("", STEPS)),
            Job("canary", "1", "canary", 3, weight=20, ramp=Ramp("1", (Step(20, 30), Step(50, 30)))),
            "canary 1 from 20% to 20%; now 0 in blue",
        ),
        (
            lambda stack: operations.canary(stack, None),
            Job("canary", "1", "canary", 3, weight=10),
            "canary 1 from 20% to 10%; now 0 in blue",
        ),
        (
            lambda stack: operations.promote(stack, force=True),
            Job("promote", "1", "green", 2, models_from="canary", forced=True),
            "promote 1 into green; now 0 in blue",
        ),
        (
            lambda stack: operations.rollback(stack, "2"),
            Job("rollback", "2", "green", 3, reject=1),
            "start 2 anew in green and switch back; now 0 in blue",
        ),
        (operations.abort, Job("abort", "1", "canary", 1), "end canary 1; now 0 in blue, which stays"),
        (lambda stack: operations.stop(stack, "green"), Job("stop", "?", "green", 1), "stop green; now 0 in blue"),
        (
            lambda stack: operations.scale(stack, "blue", 8),
            Job("scale", "0", "green", 8, models_from="blue"),
            "scale 0 to 8 by way of green; now 0 in blue",
        ),
    ],
)
def test_what_a_command_is_told_is_what_its_phases_get(
    tmp_path: Path, make: Callable[[Stack], Operation], job: Job, about: str
) -> None:
    rig = made(tmp_path, "0", "1", "2", workers=3)
    run(rig.stack, operations.deploy(rig.stack, "0", workers=2))
    run(rig.stack, operations.canary(rig.stack, "1", weight=20))
    operation = make(rig.stack)
    assert (operation.job, operation.about) == (job, about)


def test_the_first_release_is_called_as_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_VERSION", "3.2.1")
    for number, (version, called) in enumerate(((None, "3.2.1"), ("7", "7"))):
        rig: Rig = made(tmp_path / str(number))
        calls = noted(rig)
        bring_up(rig.stack, version=version, models=MODELS, workers=4)
        assert f"runtime.start blue pikkit_ml_api:{called} workers=4 models_from=None" in calls
        assert rig.releases.models == {called: MODELS}
        rig.stack.close()


def test_without_a_stack_nothing_is_in_production(tmp_path: Path) -> None:
    rig = made(tmp_path, "0")
    assert operations.deploy(rig.stack, "0").about == "deploy 0 (reused) into blue; nothing is in production"
    assert (rig.stack.live_version(), rig.stack.idle_colour()) == (None, "blue")

"""`kill -9` of the command after every phase, by name; traffic flows all the while."""

from collections.abc import Iterator

import httpx
import pytest

from deploy.flow import operations
from deploy.flow.phases import CANARY, DEPLOY, PROMOTE, ROLLBACK, STOP
from tests.support.deploy_load import Tally
from tests.support.deploy_rig import Rig
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

KILLED = -9
CLIENTS = 8


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Tally]]:
    """One stack and one stream of traffic for all cases, as in real life."""
    # Without a watch of what was promoted: the supervisor's look at it picks an interrupted command up, too.
    with Rig(tmp_path_factory.mktemp("crashes"), DEPLOY_WATCH="0") as stack:
        stack.release("1", "2", "3", "canary")
        stack.run("up", "--version", "1")
        stack.run("deploy", "--version", "2")
        with stack.traffic(clients=CLIENTS, pause=0.2) as tally:
            yield stack, tally


@pytest.fixture(autouse=True)
def traffic_flows(rig: tuple[Rig, Tally]) -> Iterator[None]:
    """While each case lasts."""
    tally = rig[1]
    before = tally.requests
    yield
    eventually(lambda: tally.requests > before + CLIENTS)  # so at least one was answered


def answers(stack: Rig, url: str) -> bool:
    try:
        return stack.client.get(f"{url}/ready").status_code == 200
    except httpx.HTTPError:
        return False


def check_truth(stack: Rig, command: str, phase: str) -> None:
    status = stack.status()
    assert status["interrupted"] is not None
    assert f"`{command}`" in status["interrupted"]
    assert f"at {phase}" in status["interrupted"]
    production = status["slots"][status["production"]]
    served = stack.client.get(f"{stack.url}/health", headers={"x-deployment-target": "production"})
    assert production["version"] == served.json()["version"]
    assert status["production"] == served.headers["x-served-by"]
    for number, slot in enumerate(("blue", "green", "canary"), 1):
        if status["slots"][slot]["health"] == "healthy":
            assert answers(stack, f"http://127.0.0.1:{stack.port + number}")
        if not status["slots"][slot]["running"]:
            assert not answers(stack, f"http://127.0.0.1:{stack.port + number}")


def live(stack: Rig) -> str:
    return str(stack.predict(**{"x-deployment-target": "production"}).json()["release"])


@pytest.mark.parametrize("phase", [phase.name for phase in DEPLOY])
def test_a_deploy_killed_after_a_phase_is_told_truly_and_picked_up(rig: tuple[Rig, Tally], phase: str) -> None:
    stack, tally = rig
    version = "2" if live(stack) == "1" else "1"
    stack.run("deploy", "--version", version, code=KILLED, KILL_AFTER=phase)
    check_truth(stack, "deploy", phase)
    output = stack.run("deploy", "--version", "3")
    assert "was interrupted at" in output
    assert "took over the lock" in output
    assert live(stack) == "3"
    stack.do(operations.rollback)
    assert live(stack) in ("1", "2")
    assert tally.failures == {}


@pytest.mark.parametrize("phase", ["build", "start", "switch", "drain"])
def test_after_a_killed_deploy_rollback_goes_to_the_release_before_what_is_live(
    rig: tuple[Rig, Tally], phase: str
) -> None:
    stack, tally = rig
    stack.do(operations.deploy, "1")
    stack.do(operations.deploy, "2")
    slots = stack.status()["slots"].values()
    warm = next(slot["pid"] for slot in slots if slot["role"] == "rollback target")
    stack.run("deploy", "--version", "3", code=KILLED, KILL_AFTER=phase)
    stack.do(operations.rollback)
    assert live(stack) == ("1" if phase in ("build", "start") else "2")
    status = stack.status()
    assert (status["slots"][status["production"]]["pid"] == warm) == (phase == "build")  # else it was taken
    assert tally.failures == {}


@pytest.mark.parametrize("phase", [phase.name for phase in CANARY[:-1]])
def test_a_canary_killed_after_a_phase_is_told_truly_and_picked_up(rig: tuple[Rig, Tally], phase: str) -> None:
    stack, tally = rig
    before = live(stack)
    stack.run("canary", "--version", "canary", "--weight", "20", code=KILLED, KILL_AFTER=phase)
    check_truth(stack, "canary", phase)
    stack.do(operations.deploy, "2" if before != "2" else "3")
    status = stack.status()
    assert status["slots"]["canary"]["running"] == (phase == "expose")
    if phase == "expose":
        stack.do(operations.abort)
        assert not stack.status()["slots"]["canary"]["running"]
    assert tally.failures == {}


@pytest.mark.parametrize("phase", ["start", "switch", "retire"])
def test_a_promotion_killed_after_a_phase_is_picked_up(rig: tuple[Rig, Tally], phase: str) -> None:
    assert phase in [known.name for known in PROMOTE]
    stack, tally = rig
    if not stack.status()["slots"]["canary"]["running"]:
        stack.do(operations.canary, "canary", weight=20)
    before = live(stack)
    stack.run("promote", "--force", code=KILLED, KILL_AFTER=phase)
    check_truth(stack, "promote", phase)
    if stack.status()["slots"]["canary"]["running"] and live(stack) == before:
        stack.do(operations.abort)
    else:
        stack.do(operations.rollback)
    assert live(stack) == before
    stack.do(operations.deploy, "2" if before != "2" else "3")
    assert tally.failures == {}


@pytest.mark.parametrize("phase", [phase.name for phase in ROLLBACK])
def test_a_rollback_killed_after_a_phase_is_picked_up(rig: tuple[Rig, Tally], phase: str) -> None:
    stack, tally = rig
    stack.do(operations.deploy, "1")
    stack.do(operations.deploy, "2")
    stack.run("rollback", code=KILLED, KILL_AFTER=phase)
    check_truth(stack, "rollback", phase)
    stack.do(operations.canary, "canary", weight=0)  # any command picks it up
    stack.do(operations.abort)
    assert live(stack) == ("2" if phase == "check" else "1")
    previous = stack.stack().journal.previous()
    assert previous is not None
    assert (previous.version == "1") == (phase == "check")  # never to what was left
    assert tally.failures == {}


@pytest.mark.parametrize("phase", [phase.name for phase in STOP])
def test_ending_a_canary_killed_after_a_phase_is_picked_up(rig: tuple[Rig, Tally], phase: str) -> None:
    stack, tally = rig
    stack.do(operations.canary, "canary", weight=20)
    stack.run("abort", code=KILLED, KILL_AFTER=phase)
    stack.do(operations.deploy, "2" if live(stack) != "2" else "3")
    assert not stack.status()["slots"]["canary"]["running"]
    assert tally.failures == {}

"""`status` says by its exit code what it sees."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.flow import operations
from deploy.flow.run import run
from deploy.processes import ProcessId
from deploy.watch.status import condition, status_data
from deploy.watch.supervisor import _record
from tests.support.deploy_fakes import Rig, made


def dead(slot: str) -> Callable[[Rig], None]:
    return lambda rig: rig.runtime.stop(slot, grace_s=0)  # type: ignore[arg-type]


def stopped(rig: Rig) -> None:
    rig.router.up = False


def canary(rig: Rig) -> None:
    run(rig.stack, operations.canary(rig.stack, "2"))


def unsupervised(rig: Rig) -> None:
    _record(rig.stack.settings.run_dir).remove()


@pytest.mark.parametrize(
    ("happened", "code", "said"),
    [
        ((), 0, ""),
        ((canary,), 0, ""),
        ((canary, dead("canary")), 20, "the canary is dead"),
        ((unsupervised,), 20, "no supervisor runs"),
        ((dead("green"),), 0, ""),  # the way back is cold, which is no fault
        ((dead("blue"),), 21, "production (blue) is dead"),
        ((stopped,), 21, "the load balancer does not run"),
    ],
)
def test_status_ends_by_what_it_sees(
    tmp_path: Path, happened: tuple[Callable[[Rig], None], ...], code: int, said: str
) -> None:
    rig = made(tmp_path, "1", "2")
    assert condition(status_data(rig.stack)) == 22
    run(rig.stack, operations.deploy(rig.stack, "1"))
    _record(tmp_path).write(ProcessId.own())
    for what in happened:
        what(rig)
    data = status_data(rig.stack)
    assert condition(data) == code
    assert any(said in fault for fault in data["faults"]) if said else data["faults"] == []

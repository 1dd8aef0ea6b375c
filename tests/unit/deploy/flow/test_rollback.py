"""What "the release before" is, after everything that can have come in between."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deploy.errors import UsageError
from deploy.flow import operations
from deploy.flow.recovery import bring_up, recover, stop_all
from deploy.flow.run import run
from tests.support.deploy_fakes import Killed, Rig, made


def deploy(version: str) -> Callable[[Rig], None]:
    return lambda rig: run(rig.stack, operations.deploy(rig.stack, version))


def scale(rig: Rig) -> None:
    run(rig.stack, operations.scale(rig.stack, rig.stack.route().production, 2))


def again(rig: Rig) -> None:
    run(rig.stack, operations.deploy(rig.stack, str(rig.live())))


def restart(rig: Rig) -> None:
    stop_all(rig.stack)
    bring_up(rig.stack, version=None, models=None, workers=None)


def promote(version: str) -> Callable[[Rig], None]:
    def do(rig: Rig) -> None:
        run(rig.stack, operations.canary(rig.stack, version))
        run(rig.stack, operations.promote(rig.stack))

    return do


def canary_that_ends(rig: Rig) -> None:
    run(rig.stack, operations.canary(rig.stack, "9"))
    run(rig.stack, operations.abort(rig.stack))


def lost_record(rig: Rig) -> None:
    """Only what is warm can be gone back to then."""
    rig.stack.journal.close()
    (rig.stack.settings.run_dir / "journal.db").unlink()
    recover(rig.stack)


def killed(after: str, version: str) -> Callable[[Rig], None]:
    def do(rig: Rig) -> None:
        rig.progress.interrupt = after
        with pytest.raises(Killed):
            run(rig.stack, operations.deploy(rig.stack, version))
        rig.progress.interrupt = ""
        recover(rig.stack)

    return do


def back(version: str | None = None) -> Callable[[Rig], None]:
    return lambda rig: run(rig.stack, operations.rollback(rig.stack, version))


BETWEEN: Sequence[Callable[[Rig], None]] = (scale, again, restart, canary_that_ends)


@pytest.mark.parametrize(
    "between", list(itertools.permutations(BETWEEN, 2)), ids=lambda pair: "-".join(f.__name__ for f in pair)
)
@pytest.mark.parametrize("into", [deploy, promote])
def test_rollback_goes_to_the_release_before_the_live_one(
    tmp_path: Path, into: Callable[[str], Callable[[Rig], None]], between: tuple[Callable[[Rig], None], ...]
) -> None:
    rig = made(tmp_path, "1.0", "1.1", "1.2", "9")
    for step in (deploy("1.0"), deploy("1.1"), into("1.2"), *between):
        step(rig)
        recover(rig.stack)
    assert rig.live() == "1.2"
    back()(rig)
    assert rig.live() == "1.1"
    back()(rig)
    assert rig.live() == "1.0"
    with pytest.raises(UsageError, match="no release to go back to"):
        back()(rig)
    assert rig.live() == "1.0"


@pytest.mark.parametrize(
    ("steps", "live"),
    [
        ((deploy("1"), deploy("2"), back(), deploy("3"), back()), "1"),  # 2 was rejected
        ((deploy("1"), deploy("2"), back(), deploy("2"), back()), "1"),  # taken back on purpose, then left again
        ((deploy("1"), deploy("2"), deploy("1"), back()), "2"),
        ((deploy("1"), deploy("2"), deploy("3"), back("1")), "1"),
        ((deploy("1"), deploy("2"), deploy("3"), back("1"), deploy("4"), back()), "1"),
        ((deploy("1"), deploy("2"), deploy("3"), back("2"), back()), "1"),
        ((deploy("1"), deploy("2"), back(), back("2")), "2"),
        ((deploy("1"), deploy("2"), lost_record, back()), "1"),
        ((deploy("1"), killed("warm", "2"), deploy("3"), back()), "1"),
        ((deploy("1"), killed("switch", "2"), back()), "1"),
        ((deploy("1"), killed("record", "2"), back()), "1"),
        ((deploy("1"), killed("retire", "2"), scale, back()), "1"),
        ((deploy("1"), deploy("2"), killed("start", "3"), back()), "1"),
        ((deploy("1"), deploy("2"), killed("build", "3"), back()), "1"),
    ],
)
def test_sequences(tmp_path: Path, steps: Sequence[Callable[[Rig], None]], live: str) -> None:
    rig = made(tmp_path, "1", "2", "3", "4")
    for step in steps:
        step(rig)
        recover(rig.stack)
    assert rig.live() == live


@pytest.mark.parametrize(
    ("steps", "version", "said"),
    [
        ((deploy("1"),), None, "no release to go back to: 1 stays"),
        ((deploy("1"), again), None, "no release to go back to"),
        ((deploy("1"), deploy("2")), "2", "is live already"),
        ((deploy("1"), deploy("2")), "77", "is gone"),
        ((deploy("1"), killed("warm", "2"), lost_record), None, "no release to go back to"),
        (
            (deploy("1"), deploy("2"), back()),
            None,
            r"no release to go back to: 1 stays .*kept are .*: `rollback VERSION`",
        ),
    ],
)
def test_what_can_not_be_gone_back_to_is_said_and_nothing_moves(
    tmp_path: Path, steps: Sequence[Callable[[Rig], None]], version: str | None, said: str
) -> None:
    rig = made(tmp_path, "1", "2")
    for step in steps:
        step(rig)
    live = rig.live()
    with pytest.raises(UsageError, match=said):
        back(version)(rig)
    assert rig.live() == live


def test_a_rejected_release_is_shown_and_one_that_was_gone_back_to_is_not(tmp_path: Path) -> None:
    rig = made(tmp_path, "1", "2")
    for step in (deploy("1"), deploy("2"), back()):
        step(rig)
    assert {one.version: one.rejected for one in rig.stack.journal.releases()} == {"1": False, "2": True}

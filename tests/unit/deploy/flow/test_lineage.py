"""What is kept, what counts as warm, and how the record is brought to what is seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.flow import operations
from deploy.flow.lineage import prune, reconcile, warm_slot
from deploy.flow.run import run
from deploy.proxy.route import Route
from deploy.slot import Colour
from tests.support.deploy_fakes import Rig, made, noted


def deployed(folder: Path, *versions: str) -> Rig:
    rig = made(folder, "0", "1", "2")
    for version in versions:
        run(rig.stack, operations.deploy(rig.stack, version))
    return rig


def lost(rig: Rig) -> None:
    """The record is gone, and the slots run on."""
    rig.stack.journal.put("live", None)


def not_running(rig: Rig) -> None:
    rig.runtime.stop("blue", grace_s=0)


def unfit(rig: Rig) -> None:
    ready = rig.probe.ready
    rig.probe.ready = lambda url: "blue" not in url and ready(url)  # type: ignore[method-assign]


def another(rig: Rig) -> None:
    rig.runtime.slots["blue"] = replace(rig.runtime.slots["blue"], version="1")


def not_kept(rig: Rig) -> None:
    rig.runtime.keep("blue", kept=False)


def nothing(_: Rig) -> None:
    """As it is."""


@pytest.mark.parametrize(
    ("change", "warm"), [(nothing, "blue"), (not_kept, "blue"), (not_running, None), (unfit, None), (another, None)]
)
def test_warm_is_what_serves_the_version_beside_production(
    tmp_path: Path, change: Callable[[Rig], None], warm: Colour | None
) -> None:
    rig = made(tmp_path, "0", "1")
    assert warm_slot(rig.stack, "0") is None
    rig = deployed(tmp_path / "run", "0", "1")
    change(rig)
    assert warm_slot(rig.stack, "0") == warm
    assert warm_slot(rig.stack, "2") is None


@pytest.mark.parametrize(
    ("change", "before", "back"),
    [(nothing, 3, "0"), (not_kept, None, None), (unfit, None, None), (another, None, None)],
)
def test_a_lost_record_is_written_anew_from_what_runs(
    tmp_path: Path, change: Callable[[Rig], None], before: int | None, back: str | None
) -> None:
    rig = deployed(tmp_path, "0", "1")
    change(rig)
    lost(rig)
    reconcile(rig.stack)
    live, previous = rig.stack.journal.live(), rig.stack.journal.previous()
    assert live is not None
    assert (live.version, live.slot, live.workers, live.before) == ("1", "green", 1, before)
    assert (previous.version if previous else None) == back


@pytest.mark.parametrize(
    ("production", "version", "recorded"),
    [
        ("green", "1", []),
        ("green", "2", ["journal.record 2 in green x4 id 0 before 2 reject=None"]),
        ("blue", "0", ["journal.record 0 in blue x4 id 1 before None reject=2"]),  # as by a rollback on a full disk
        ("blue", "1", ["journal.record 1 in blue x4 id 2 before 1"]),
        ("blue", None, []),
    ],
)
def test_the_route_is_the_truth_and_the_record_follows(
    tmp_path: Path, production: Colour, version: str | None, recorded: list[str]
) -> None:
    rig = deployed(tmp_path, "0", "1")
    calls = noted(rig)
    rig.router.routes.append(Route(9, production))
    rig.runtime.slots[production] = replace(rig.runtime.slots[production], version=version, workers=4)
    reconcile(rig.stack)
    assert calls == recorded


def test_nothing_is_written_where_nothing_is_routed(tmp_path: Path) -> None:
    rig = made(tmp_path, "0")
    calls = noted(rig)
    reconcile(rig.stack)
    assert calls == []


def test_the_newest_and_those_in_use_outlive_the_others(tmp_path: Path) -> None:
    rig = made(tmp_path, *map(str, range(9)), keep_releases=2)
    run(rig.stack, operations.deploy(rig.stack, "0"))
    assert rig.progress.said[-1] == "nothing stays warm; pruned 6, 5, 4, 3, 2, 1"
    for version, left in (("1", "0178"), ("2", "1278"), ("3", "2378"), ("0", "0378")):
        run(rig.stack, operations.deploy(rig.stack, version))
        assert "".join(sorted(rig.releases.made)) == left
    assert prune(rig.stack) == []

"""Each gate on both of its sides, and the drain, by fakes."""

from pathlib import Path
from typing import Any

import pytest

from deploy.checks.gates import difference
from deploy.errors import GateFailed
from deploy.release.release import Golden
from tests.support.deploy_fakes import Rig, made


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """1 runs in blue."""
    found = made(tmp_path, "1")
    found.runtime.start("blue", found.releases.made["1"], workers=1)
    return found


def told(rig: Rig, **changes: Any) -> None:
    health = rig.probe.health
    rig.probe.health = lambda url: {**(health(url) or {}), **changes}  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"deployment": None}, None),  # a service that does not tell
        ({"deployment": "green"}, "port of blue is answered by 'green'"),
        ({"models_loaded": False}, "blue has no models loaded"),
        ({"version": "2"}, "blue serves version '2', not '1'"),
    ],
)
def test_what_a_slot_says_of_itself(rig: Rig, changes: dict[str, Any], said: str | None) -> None:
    told(rig, **changes)
    release = rig.releases.made["1"]
    assert rig.stack.gates.fit("blue", "1") == said
    if said is None:
        assert rig.stack.gates.serves("blue", release, 1).startswith("ready")
    else:
        with pytest.raises(GateFailed, match=said):
            rig.stack.gates.serves("blue", release, 1)


def test_health_is_asked_once_a_look(rig: Rig) -> None:
    asked: list[str] = []
    health = rig.probe.health

    def noted(url: str) -> Any:
        asked.append(url)
        return health(url)

    rig.probe.health = noted  # type: ignore[method-assign]
    rig.stack.gates.serves("blue", rig.releases.made["1"], 1)
    assert asked == ["http://blue"]


def test_another_model_set_is_refused_unless_it_was_carried_over(rig: Rig) -> None:
    rig.runtime.models["blue"] = "another"
    with pytest.raises(GateFailed, match="serves model set another, the release has sha 1"):
        rig.stack.gates.serves("blue", rig.releases.made["1"], 1)
    assert rig.stack.gates.serves("blue", rig.releases.made["1"], 1, own_models=False)


@pytest.mark.parametrize(("given", "fits"), [(0.5, True), (0.5 + 4e-7, True), (0.5 + 2e-6, False), (0.49999, False)])
def test_a_golden_figure_may_differ_by_a_millionth(given: float, fits: bool) -> None:
    fault = difference(Golden({}, {"win_probability": 0.5}), {"win_probability": given})
    assert (fault is None) == fits


@pytest.mark.parametrize(
    ("active", "waited"),
    [([0.0], 0.2), ([2.0, 1.0, 0.0], 0.4), ([0.0, 0.0, 1.0, 0.0], 0.5)],
)
def test_a_slot_is_quiet_after_three_reads_in_a_row(rig: Rig, active: list[float], waited: float) -> None:
    rig.probe.active["blue"] = active
    assert rig.stack.gates.drained("blue", 40) == f"blue is quiet after {waited:.1f} s"


def test_a_slot_that_can_not_be_read_is_waited_for_and_a_dead_one_is_not(rig: Rig) -> None:
    rig.probe.metrics = lambda _: None  # type: ignore[method-assign,assignment]
    assert "still has 1 requests after 40 s" in rig.stack.gates.drained("blue", 40)
    rig.runtime.stop("blue", grace_s=0)
    assert rig.stack.gates.drained("blue", 40) == "blue does not run"

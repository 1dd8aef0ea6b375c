"""Which model set the gates let pass."""

from typing import Any

import pytest

from deploy.checks.gates import Gates
from deploy.clock import Clock
from deploy.errors import GateFailed
from deploy.release.release import Release
from deploy.slots.port import Observed

RELEASE = Release("1.2.0", "tree", "c0ffee", "5ha", "20260101_000000", 0.0)


class Slot:
    """Runtime and probe at once; `sets` are the digests that it tells, one call after the other."""

    def __init__(self, *sets: str) -> None:
        self.sets = list(sets)

    def base_url(self, _slot: str) -> str:
        return "http://127.0.0.1:8001"

    def observe(self, _slot: str) -> Observed:
        return Observed("blue", running=True, version="1.2.0", workers=2)

    def log_lines(self, _slot: str, _last: int) -> list[str]:
        return []

    def ready(self, _url: str) -> bool:
        return True

    def health(self, _url: str) -> dict[str, Any]:
        return {"models_loaded": True, "version": "1.2.0", "deployment": "blue"}

    def model_info(self, _url: str) -> dict[str, str]:
        return {"sha256": self.sets.pop(0) if len(self.sets) > 1 else self.sets[0]}


def gates(slot: Slot) -> Gates:
    return Gates(slot, slot, Clock())  # type: ignore[arg-type]


def test_a_slot_must_serve_the_releases_own_set_unless_it_carries_one_on() -> None:
    assert gates(Slot("5ha")).serves("blue", RELEASE, 0).startswith("ready after")
    assert gates(Slot("old", "5ha")).serves("blue", RELEASE, 5)
    with pytest.raises(GateFailed, match="blue serves model set old, the release has 5ha"):
        gates(Slot("old")).serves("blue", RELEASE, 0)
    # A set that was loaded while the service ran is not the release's own.
    assert gates(Slot("new")).serves("blue", RELEASE, 0, own_models=False)

"""The gates over several replicas."""

from typing import Any

import pytest

from deploy.checks.gates import Gates
from deploy.clock import Clock
from deploy.errors import GateFailed
from deploy.release.release import Release
from deploy.slots.port import Observed

RELEASE = Release("1.2.0", "tree", "c0ffee", "5ha", "20260101_000000", 0.0)
URLS = ("http://127.0.0.1:8001", "http://127.0.0.1:8011")


class Replicas:
    """Runtime and probe at once; `sets` are the digests that each replica tells, one call after the other."""

    def __init__(self, *sets: list[str]) -> None:
        self.sets = dict(zip(URLS, sets, strict=True))

    def base_urls(self, _slot: str) -> tuple[str, ...]:
        return URLS

    def observe(self, _slot: str) -> Observed:
        return Observed("blue", running=True, version="1.2.0", workers=2)

    def log_lines(self, _slot: str, _last: int) -> list[str]:
        return []

    def ready(self, _url: str) -> bool:
        return True

    def health(self, _url: str) -> dict[str, Any]:
        return {"models_loaded": True, "version": "1.2.0", "deployment": "blue"}

    def model_info(self, url: str) -> dict[str, str]:
        told = self.sets[url]
        return {"sha256": told.pop(0) if len(told) > 1 else told[0]}


def gates(replicas: Replicas) -> Gates:
    return Gates(replicas, replicas, Clock())  # type: ignore[arg-type]


def test_replicas_that_carry_models_on_must_serve_the_same_set() -> None:
    # A set that was loaded while the service ran: neither is the release's own.
    assert gates(Replicas(["new"], ["new"])).serves("blue", RELEASE, 0, own_models=False).startswith("ready after")
    assert gates(Replicas(["new"], ["old", "new"])).serves("blue", RELEASE, 5, own_models=False)
    with pytest.raises(GateFailed, match="replicas of blue serve different model sets"):
        gates(Replicas(["new"], ["old"])).serves("blue", RELEASE, 0, own_models=False)


def test_every_replica_must_serve_the_releases_own_set() -> None:
    assert gates(Replicas(["5ha"], ["5ha"])).serves("blue", RELEASE, 0)
    with pytest.raises(GateFailed, match="blue serves model set old, the release has 5ha"):
        gates(Replicas(["5ha"], ["old"])).serves("blue", RELEASE, 0)

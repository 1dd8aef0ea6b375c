"""File-based discovery for Prometheus: the slots that run or should; a dead one is down, an idle one is not."""

from __future__ import annotations

from deploy.files import read_json, write_json
from deploy.flow.stack import Stack
from deploy.slot import SLOTS

__all__ = ["write_targets"]

_FILE = "targets/pikkit.json"


def write_targets(stack: Stack) -> None:
    """Write `targets/pikkit.json` if it changed: replicas of slots with `deployment` and `version`."""
    addresses = stack.runtime.addresses()
    route = stack.router.get()
    wanted = route.targets() if route and stack.router.wanted() else ()
    groups = []
    for slot in SLOTS:
        seen = stack.runtime.observe(slot)
        if seen.running or seen.kept or slot in wanted:
            labels = {"deployment": slot, "version": seen.version or "unknown"}
            groups.append({"targets": list(addresses.get(slot, ())), "labels": labels})
    path = stack.settings.run_dir / _FILE
    if read_json(path) != groups:
        write_json(path, groups)

"""Old releases go, so that they do not fill the disk."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.flow.stack import Stack
from deploy.slot import SLOTS

__all__ = ["prune"]


def prune(stack: Stack) -> Sequence[str]:
    """Delete old releases, but never one that a slot holds, the rollback target, or the newest few."""
    previous = stack.journal.previous()
    needed = {stack.runtime.observe(slot).version for slot in SLOTS} | {previous.version if previous else None}
    spare = [release.version for release in stack.releases.releases() if release.version not in needed]
    pruned = spare[stack.settings.keep_releases :]
    for version in pruned:
        stack.releases.delete(version)
    return pruned

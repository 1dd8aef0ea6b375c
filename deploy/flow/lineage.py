"""Which release is live and which one is before it: what `rollback` means, whatever scaled or restarted in between."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from deploy.errors import UsageError
from deploy.flow.stack import Stack
from deploy.journal.journal import Released
from deploy.slot import SLOTS, Colour, other_colour

__all__ = ["planned", "prune", "reconcile", "settings_digest", "target", "warm_slot"]


def planned(stack: Stack, version: str, slot: str, workers: int, *, back: bool = False) -> Released:
    """What will be on record once `version` is production in `slot`. Nothing is written.

    The live release keeps its place, whatever slot it is moved to; one that is gone `back` to gets its own back.
    """
    live = stack.journal.live()
    if live and live.version == version:
        return replace(live, slot=slot, workers=workers, rejected=False)
    release = stack.releases.get(version)
    new = Released(
        version,
        slot,
        workers,
        bento=release.tag if release else "",
        models=(release.models_sha256 or release.models_version) if release else "",
        settings=settings_digest(stack),
    )
    if back:
        for step in stack.journal.before(live):
            if step.version == version:
                return replace(step, slot=slot, workers=workers, rejected=False)
        return replace(new, before=live.before if live else None)  # never back to what was left
    return replace(new, before=live.id if live else None)


def target(stack: Stack, version: str | None) -> str:
    """The version that `rollback [VERSION]` goes to.

    Raises:
        UsageError: there is none, or it is live, or gone, or nothing is in production.
    """
    stack.route()
    live = stack.live_version()
    if version is None:
        previous = stack.journal.previous()
        if previous is None:
            kept = [release.version for release in stack.releases.releases() if release.version != live]
            more = f"; kept are {', '.join(kept)}: `rollback VERSION`" if kept else ""
            raise UsageError(f"there is no release to go back to: {live} stays in production{more}")
        version = previous.version
    elif version == live:
        raise UsageError(f"{version} is live already: there is nothing to go back to it from")
    if warm_slot(stack, version) is None and stack.releases.get(version) is None:
        raise UsageError(f"release {version} is gone: deploy another version")
    return version


def warm_slot(stack: Stack, version: str) -> Colour | None:
    """The colour beside production that serves `version` now and is fit for traffic; None when none does."""
    route = stack.router.get()
    if route is None:
        return None
    other = other_colour(route.production)
    seen = stack.runtime.observe(other)
    return other if seen.running and seen.version == version and stack.gates.fit(other, version) is None else None


def prune(stack: Stack) -> Sequence[str]:
    """Delete old releases, but never one that a slot holds, the rollback target, or the newest few; tells which."""
    previous = stack.journal.previous()
    needed = {stack.runtime.observe(slot).version for slot in SLOTS} | {previous.version if previous else None}
    spare = [release.version for release in stack.releases.releases() if release.version not in needed]
    pruned = spare[stack.settings.keep_releases :]
    for version in pruned:
        stack.releases.delete(version)
    return pruned


def reconcile(stack: Stack) -> None:
    """Bring the record to what is seen to be live: the route is the truth, the record may have been lost or full."""
    route = stack.router.get()
    seen = stack.runtime.observe(route.production) if route else None
    if route is None or seen is None or seen.version is None:
        return
    live = stack.journal.live()
    if live is None:
        before = _seen_before(stack, route.production, seen.version)
        released = planned(stack, seen.version, route.production, seen.workers)
        stack.journal.record(replace(released, before=before))
    elif live.version != seen.version:
        previous = stack.journal.previous()
        went_back = previous is not None and previous.version == seen.version
        released = planned(stack, seen.version, route.production, seen.workers, back=went_back)
        stack.journal.record(released, reject=live.id if went_back else None)
    elif live.slot != route.production:
        stack.journal.record(replace(live, slot=route.production, workers=seen.workers))


def _seen_before(stack: Stack, production: Colour, version: str) -> int | None:
    """Without a record: a healthy other colour that once was production, so neither a candidate nor a rejected one."""
    other = other_colour(production)
    seen = stack.runtime.observe(other)
    if not seen.kept or seen.version in (None, version) or stack.gates.fit(other, seen.version) is not None:
        return None
    stack.journal.record(planned(stack, str(seen.version), other, seen.workers))
    found = stack.journal.live()
    return found.id if found else None


def settings_digest(stack: Stack) -> str:
    """A digest of what slots are started with, 12 hex digits: tells whether a release is run as it was."""
    told = stack.settings.model_dump_json(include={"slot_memory", "nginx_image", "runtime"})
    return hashlib.sha256(told.encode()).hexdigest()[:12]

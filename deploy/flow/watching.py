"""After a promotion, what clients are answered is compared with what they were before, for a while."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.canary.judge import Verdict
from deploy.flow.stack import Stack
from deploy.slot import Colour

__all__ = ["Watch", "begin", "current", "keep"]

_FACT = "watch"


@dataclass(frozen=True, slots=True)
class Watch:
    """`since` and `until` bound the time that the release before was compared in, as seconds since the epoch."""

    version: str
    slot: Colour
    before: Colour
    since: float
    until: float
    restarts: int
    held_s: float = 0.0

    def verdict(self, stack: Stack) -> Verdict:
        """The judge on 5xx, 4xx, latency and restarts: after the promotion against before it."""
        restarts = stack.runtime.observe(self.slot).restarts - self.restarts
        return stack.window.across((self.before, self.since), (self.slot, self.until), restarts)


def begin(stack: Stack, version: str, slot: Colour) -> None:
    """From the switch on; not at all where DEPLOY_WATCH is 0."""
    route = stack.router.get()
    opened = stack.window.opened_at()
    if route is None or opened is None or not stack.settings.watch or route.production == slot:
        keep(stack, None)
        return
    restarts = stack.runtime.observe(slot).restarts
    keep(stack, Watch(version, slot, route.production, opened, stack.clock.now(), restarts))


def current(stack: Stack) -> Watch | None:
    """The watch of the release that is live; None when there is none."""
    watch: Watch | None = stack.journal.fact(_FACT, Watch)
    live = stack.journal.live()
    return watch if watch and live and (live.version, live.slot) == (watch.version, watch.slot) else None


def keep(stack: Stack, watch: Watch | None) -> None:
    """Put it on record; None ends it."""
    stack.journal.put(_FACT, watch)

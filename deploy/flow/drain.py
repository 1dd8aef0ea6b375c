"""Waiting for requests in flight, by the slot's own gauge."""

from __future__ import annotations

from deploy.canary.sample import active_requests
from deploy.flow.stack import Stack
from deploy.slot import Slot

__all__ = ["drain"]

_QUIET_READS = 3
_POLL_S = 0.1


def drain(stack: Stack, slot: Slot) -> str:
    """Wait until the gauge says several times in a row that nothing is in progress.

    The slot is not stopped here, so running out of time breaks nothing: it is told, and the slot stays warm.
    """
    begin = stack.clock.monotonic()
    quiet = 0
    while quiet < _QUIET_READS:
        text = stack.probe.slot_metrics(stack.runtime, slot)
        active = active_requests(text) if text is not None else None
        if active is None:
            if not stack.runtime.observe(slot).running:
                return f"{slot} does not run"
            active = 1.0  # can't be told: wait rather than believe
        quiet = quiet + 1 if active <= 0 else 0
        if quiet < _QUIET_READS:
            if stack.clock.monotonic() - begin > stack.settings.drain_timeout_s:
                return f"{slot} still has {active:.0f} requests after {stack.settings.drain_timeout_s:g} s"
            stack.clock.sleep(_POLL_S)
    return f"{slot} is quiet after {stack.clock.monotonic() - begin:.1f} s"

"""A slot's own metrics, of all its replicas."""

from __future__ import annotations

from deploy.checks.probe import Probe
from deploy.slot import Slot
from deploy.slots.port import Runtime

__all__ = ["slot_metrics"]


def slot_metrics(runtime: Runtime, probe: Probe, slot: Slot) -> str | None:
    """As one text; None where a replica doesn't answer."""
    texts = [probe.metrics(url) for url in runtime.base_urls(slot)]
    known = [text for text in texts if text is not None]
    return "\n".join(known) if len(known) == len(texts) else None

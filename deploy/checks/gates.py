"""What a candidate must pass before it gets a request: it serves what it should, and predicts what it must."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.errors import GateFailed
from deploy.release.release import Golden, Release
from deploy.slot import Slot
from deploy.slots.port import LOG_HEADER, Runtime

__all__ = ["SMOKE_BET", "Gates", "difference"]

TOLERANCE = 1e-6
SMOKE_BET: Mapping[str, Any] = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "Moneyline",
    "institution_name": "FanDuel",
    "bet_type": "straight",
    "odds": -110,
}
_POLL_S = 0.1
_LOG_LINES = 15
_QUIET_READS = 3


def difference(golden: Golden, answer: Mapping[str, Any] | None) -> str | None:
    """The first field in which `answer` differs from what the release's manifest says; None when none does."""
    if answer is None:
        return "no answer"
    for field, expected in golden.expected.items():
        given = answer.get(field)
        if isinstance(expected, float) and isinstance(given, int | float):
            if not math.isclose(expected, given, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                return f"{field} is {given!r}, the release says {expected!r}"
        elif given != expected:
            return f"{field} is {given!r}, the release says {expected!r}"
    return None


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates, each a method that raises GateFailed with the slot's last lines."""

    runtime: Runtime
    probe: Probe
    clock: Clock

    def serves(self, slot: Slot, release: Release, timeout_s: float, *, own_models: bool = True) -> str:
        """Wait until the slot is ready with the release's version and (`own_models`) model set."""
        begin = self.clock.monotonic()
        while True:
            seen = self.fit(slot, release.version) or (self.hot_reloaded(slot, release) if own_models else None)
            if seen is None:
                return f"ready after {self.clock.monotonic() - begin:.1f} s"
            if not self.runtime.observe(slot).running:
                raise self._failed(slot, f"{slot} ended before it was ready")
            if self.clock.monotonic() - begin > timeout_s:
                raise self._failed(slot, f"{slot} is not fit after {timeout_s:g} s: {seen}")
            self.clock.sleep(_POLL_S)

    def fit(self, slot: Slot, version: str | None) -> str | None:
        """Why a warm slot must not get traffic; None when it may."""
        seen = self.runtime.observe(slot)
        if not seen.running:
            return f"{slot} does not run"
        url = self.runtime.base_url(slot)
        health = self.probe.health(url)
        if not self.probe.ready(url) or health is None:
            return f"{slot} is not ready"
        if not health.get("models_loaded"):
            return f"{slot} has no models loaded"
        if version is not None and health.get("version") != version:
            return f"{slot} serves version {health.get('version')!r}, not {version!r}"
        if health.get("deployment") not in (None, slot):
            return f"port of {slot} is answered by {health.get('deployment')!r}"
        return None

    def hot_reloaded(self, slot: Slot, release: Release) -> str | None:
        """Which set the slot serves in place of the one that its release was built with; None when it is that one."""
        url = self.runtime.base_url(slot)
        if release.models_sha256:
            served, own = (self.probe.model_info(url) or {}).get("sha256"), release.models_sha256
        else:
            served, own = (self.probe.health(url) or {}).get("model_timestamp"), release.models_version
        return None if served == own else f"{slot} serves model set {str(served)[:15]}, the release has {own[:15]}"

    def predicts(self, slot: Slot, release: Release) -> str:
        """Golden bets are answered as the manifest says; without any, one bet is answered within the contract."""
        for number, golden in enumerate(release.golden):
            fault = difference(golden, self.probe.predict(self.runtime.base_url(slot), golden.bet))
            if fault:
                raise self._failed(slot, f"golden bet {number} of {release.version}: {fault}")
        if release.golden:
            return f"{len(release.golden)} golden bets agree"
        return f"{self.answers(slot)}; the release has no golden bets"

    def answers(self, slot: Slot) -> str:
        """One bet is answered within the contract."""
        answer = self.probe.predict(self.runtime.base_url(slot), SMOKE_BET) or {}
        probability = answer.get("win_probability")
        if not isinstance(probability, float) or not 0 <= probability <= 1:
            raise self._failed(slot, f"{slot} answers a bet with {dict(answer)}, which is no prediction")
        return "one bet answered"

    def warm(self, slot: Slot, requests: int) -> str:
        """Requests on the code paths that clients use, so that no client pays for the first."""
        begin = self.clock.monotonic()
        url = self.runtime.base_url(slot)
        failed = sum(self.probe.predict(url, SMOKE_BET) is None for _ in range(requests))
        if failed:
            raise self._failed(slot, f"{failed} of {requests} warm-up requests failed")
        return f"{requests} requests in {self.clock.monotonic() - begin:.2f} s"

    def drained(self, slot: Slot, timeout_s: float) -> str:
        """Wait until the slot's gauge says several times in a row that nothing is in progress.

        The slot is not stopped here, so running out of time breaks nothing: it is told, and the slot stays warm.
        """
        begin = self.clock.monotonic()
        quiet = 0
        while True:
            active = self.probe.active_requests(self.runtime.base_url(slot))
            if active is None and not self.runtime.observe(slot).running:
                return f"{slot} does not run"
            quiet = quiet + 1 if active is not None and active <= 0 else 0  # can't be told: waited for, not believed
            seconds = self.clock.monotonic() - begin
            if quiet == _QUIET_READS:
                return f"{slot} is quiet after {seconds:.1f} s"
            if seconds > timeout_s:
                return f"{slot} still has {1 if active is None else active:.0f} requests after {timeout_s:g} s"
            self.clock.sleep(_POLL_S)

    def _failed(self, slot: Slot, message: str) -> GateFailed:
        lines = list(self.runtime.log_lines(slot, _LOG_LINES))
        starts = [number for number, line in enumerate(lines) if line.startswith(LOG_HEADER)]
        return GateFailed(message, tuple(lines[starts[-1] :] if starts else lines))

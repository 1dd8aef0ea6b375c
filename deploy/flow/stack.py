"""The parts that operations work with, put together in one place (`deploy.compose`); tests make it with fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.canary.ramp import Ramp
from deploy.canary.window import Window
from deploy.checks.gates import Gates
from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.errors import UsageError
from deploy.flow.progress import Progress
from deploy.journal.journal import Journal
from deploy.journal.lock import Lock
from deploy.proxy.nginx import Router
from deploy.proxy.route import Route
from deploy.release.release import ReleaseStore
from deploy.settings import DeploySettings
from deploy.slot import Colour, other_colour
from deploy.slots.port import Runtime

__all__ = ["Stack"]


@dataclass(slots=True)
class Stack:
    """`tell` sends word of how an operation ended."""

    settings: DeploySettings
    runtime: Runtime
    router: Router
    releases: ReleaseStore
    probe: Probe
    journal: Journal
    clock: Clock
    progress: Progress
    window: Window
    tell: Callable[[str], None] = lambda _: None
    gates: Gates = field(init=False)

    def __post_init__(self) -> None:
        self.gates = Gates(self.runtime, self.probe, self.clock)

    def close(self) -> None:
        """Let go of connections."""
        self.probe.close()
        self.journal.close()

    def lock(self, command: str) -> Lock:
        """The stack's lock, for a command in words."""
        return Lock(self.settings.run_dir / "lock.json", command, say=self.progress.say)

    def idle_colour(self) -> Colour:
        """The colour that is not production; blue at first."""
        route = self.router.get()
        return other_colour(route.production) if route else "blue"

    def route(self) -> Route:
        """Where requests go.

        Raises:
            UsageError: nothing is in production.
        """
        route = self.router.get()
        if route is None:
            raise UsageError("nothing is in production: `python -m deploy up` or `deploy --version V` first")
        return route

    @property
    def ramp(self) -> Ramp | None:
        """The ramp under way; None when there is none."""
        found: Ramp | None = self.journal.fact("ramp", Ramp)
        return found

    @ramp.setter
    def ramp(self, ramp: Ramp | None) -> None:
        self.journal.put("ramp", ramp)

    def live_version(self) -> str | None:
        """The version in production, as seen; None when nothing is."""
        route = self.router.get()
        return self.runtime.observe(route.production).version if route else None

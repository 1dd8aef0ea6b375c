"""What an operation is: a job, and the table of phases that it goes through. `plan` prints both, `run` runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.canary.judge import Verdict
from deploy.canary.ramp import Ramp
from deploy.errors import DeployError
from deploy.flow.stack import Stack
from deploy.release.release import Release
from deploy.slot import Colour, Slot

__all__ = ["Job", "Operation", "Phase"]


@dataclass(slots=True)
class Job:
    """What the phases of one command hand on to each other."""

    command: str
    version: str
    slot: Slot
    workers: int
    models: Path | None = None
    models_from: Slot | None = None
    weight: int = 0
    ramp: Ramp | None = None
    older_models: bool = False
    forced: bool = False
    reject: int | None = None
    release: Release | None = None
    previous: Colour | None = None
    verdict: Verdict | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def built(self) -> Release:
        """The release, once it is built or found."""
        if self.release is None:
            raise DeployError(f"{self.version} was not built yet: this is a fault of the phase table")
        return self.release

    def facts(self) -> dict[str, Any]:
        """What the audit log tells beside the outcome."""
        told: dict[str, Any] = {"slot": self.slot, "phases": self.seconds}
        if self.verdict:
            told |= {"verdict": self.verdict.outcome, "rows": self.verdict.words(), "forced": self.forced}
        return told


@dataclass(frozen=True, slots=True)
class Phase:
    """`run` does it and returns what it found, in words."""

    name: str
    title: str
    run: Callable[[Stack, Job], str]


@dataclass(frozen=True, slots=True)
class Operation:
    """`about` says in a line what it is."""

    job: Job
    phases: Sequence[Phase]
    about: str

    def lines(self) -> list[str]:
        """What would happen, for people."""
        width = max(len(phase.name) for phase in self.phases)
        steps = [f"  {number}. {phase.name:<{width}}  {phase.title}" for number, phase in enumerate(self.phases, 1)]
        return [self.about, *steps]

"""The ramp as a state machine (pure): steps, each with its own hold, and what follows from a verdict.

It lives in the journal and is the supervisor's: no terminal holds it up, and no restart forgets it. Time at a step is
counted while somebody looks, so neither a stepped clock nor a machine that was off shortens it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import MinLen

from deploy.canary.judge import Outcome

__all__ = ["Decision", "Ramp", "Step"]

State = Literal["running", "paused", "waiting"]
Decision = Literal["hold", "advance", "promote", "abort", "pause", "wait"]
_ALL = 100


@dataclass(frozen=True, slots=True)
class Step:
    """`weight` in percent, `hold_s` the seconds that it is judged for."""

    weight: int
    hold_s: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """`steps` left, the first being the present one; `manual`: each step further is somebody's `resume`."""

    version: str
    steps: Annotated[tuple[Step, ...], MinLen(1)]
    manual: bool = False
    held_s: float = 0.0
    state: State = "running"
    why: str = ""

    @property
    def weight(self) -> int:
        """Of the present step."""
        return self.steps[0].weight

    def at_least(self, weight: int) -> Ramp:
        """Without the steps that would lower a share that a canary has already; the highest of them is held at."""
        left = [step for step in self.steps if step.weight >= weight]
        if not left or (weight > 0 and left[0].weight > weight and len(left) < len(self.steps)):
            hold = self.steps[len(self.steps) - len(left) - 1].hold_s
            left.insert(0, Step(weight, hold))
        return replace(self, steps=tuple(left))

    def held(self, seconds: float) -> Ramp:
        """So much later."""
        return replace(self, held_s=self.held_s + seconds) if self.state == "running" else self

    def decide(self, outcome: Outcome) -> Decision:
        """What follows from the verdict of this moment. A failure ends it whatever its state; nothing else is early."""
        if outcome == "fail":
            return "abort"
        if self.state != "running" or self.held_s < self.steps[0].hold_s:
            return "hold"
        if outcome == "inconclusive":
            return "pause"
        if self.manual:
            return "wait"
        return self.onwards()

    def onwards(self) -> Decision:
        """From this step: to the next, or to production. All of the traffic is what a promotion gives."""
        return "advance" if len(self.steps) > 1 and self.steps[1].weight < _ALL else "promote"

    def advanced(self) -> Ramp:
        """At the next step."""
        return replace(self, steps=self.steps[1:], held_s=0.0, state="running", why="")

    def stopped(self, state: State, why: str) -> Ramp:
        """Paused, or waiting for somebody to say so."""
        return replace(self, state=state, why=why)

    def resumed(self) -> Ramp:
        """On again from where it was."""
        return replace(self, state="running", why="")

    def words(self) -> str:
        """For people."""
        left = ", ".join(f"{step.weight}%" for step in self.steps[1:]) or "promotion"
        why = f" ({self.why})" if self.why else ""
        held = f"{self.held_s:.0f} of {self.steps[0].hold_s:g} s"
        return f"{self.version} at {self.weight}% for {held}, {self.state}{why}; then {left}"

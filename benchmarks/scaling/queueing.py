"""A worker and a hundred pods as queues (simpy), to ask what no single machine can be measured for.

A worker takes what waits in turns of its event loop: a turn costs something, each request in it costs its service time.
Beyond `limit` requests in one turn it refuses, which costs less. Everything is in seconds.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from pikkit.bets.numbers import Floats

__all__ = ["Cost", "Fleet", "Worker", "one_worker"]

Events = Generator[simpy.Event, Any, None]

ANSWERED, REFUSED, LOST = "answered", "refused", "lost"
_TRIES = 3  # of a balancer, where a pod refuses the connection


@dataclass(frozen=True)
class Cost:
    """Of a worker. `service`: samples to draw from; `wire`: what a request takes beside the worker's own time.

    `together`: answers leave at the end of their turn (batches share a model call), not each when it is ready.
    """

    service: Sequence[float]
    turn: float = 0.0
    refusal: float = 0.0
    limit: int = 10**9
    wire: float = 0.0
    together: bool = False


class Worker:
    """One event loop. `told` hears what became of each request, at the moment it leaves."""

    def __init__(
        self, env: simpy.Environment, cost: Cost, told: Callable[[int, str], None], chance: random.Random
    ) -> None:
        self.pace = 1.0  # how many times as long everything takes
        self.broken = False  # answers at once, with an error
        self.up = self.listed = True
        self._env, self._cost, self._told, self._chance = env, cost, told, chance
        self._waiting: deque[int] = deque()
        self._turn: deque[int] = deque()
        self._idle: simpy.Event | None = None
        self._process = env.process(self._run())

    @property
    def load(self) -> int:
        """Requests that it has not answered."""
        return len(self._waiting) + len(self._turn)

    def take(self, request: int) -> None:
        """One more request."""
        self._waiting.append(request)
        if self._idle is not None:
            self._idle.succeed()
            self._idle = None

    def kill(self) -> None:
        """Lose all that it had; `start` makes it anew."""
        self.up = False
        for request in (*self._turn, *self._waiting):
            self._told(request, LOST)
        self._turn.clear()
        self._waiting.clear()
        self._idle = None
        self._process.interrupt()

    def start(self) -> None:
        """Be there again."""
        self.up = True
        self._process = self._env.process(self._run())

    def _run(self) -> Events:
        try:
            while True:
                if not self._waiting:
                    self._idle = self._env.event()
                    yield self._idle
                yield from self._one_turn()
        except simpy.Interrupt:
            return

    def _one_turn(self) -> Events:
        cost, env, draw = self._cost, self._env, self._chance.choice
        turn, self._turn, self._waiting = self._waiting, self._waiting, deque()
        if cost.turn:
            yield env.timeout(cost.turn * self.pace)
        excess = [turn.pop() for _ in range(len(turn) - cost.limit)]
        for request in excess:
            yield env.timeout(cost.refusal * self.pace)
            self._told(request, REFUSED)
        done = []
        while turn:
            yield env.timeout(0.0 if self.broken else draw(cost.service) * self.pace)
            request = turn[0]
            if cost.together:
                done.append(request)
                turn.rotate(-1)
                if len(done) == len(turn):
                    break
                continue
            turn.popleft()
            self._told(request, REFUSED if self.broken else ANSWERED)
        turn.clear()
        for request in done:
            self._told(request, REFUSED if self.broken else ANSWERED)


@dataclass
class Seen:
    """Seconds from due to answered, NaN where it was not; when the last answer left."""

    latencies: Floats
    fates: dict[str, int] = field(default_factory=lambda: dict.fromkeys((ANSWERED, REFUSED, LOST), 0))
    last: float = 0.0


def _observer(env: simpy.Environment, due: Floats, wire: float) -> tuple[Seen, Callable[[int, str], None]]:
    seen, times = Seen(np.full(len(due), np.nan)), due.tolist()

    def told(request: int, fate: str) -> None:
        seen.fates[fate] += 1
        seen.last = env.now
        if fate == ANSWERED:
            seen.latencies[request] = env.now - times[request] + wire

    return seen, told


def one_worker(cost: Cost, due: Floats, *, connections: int = 10**9, seed: int = 1) -> Seen:
    """One worker that is asked by so many connections; where all are busy a request waits at the client."""
    env = simpy.Environment()
    seen, told = _observer(env, due, cost.wire)
    held: deque[int] = deque()

    def answered(request: int, fate: str) -> None:
        told(request, fate)
        if held:
            worker.take(held.popleft())

    worker = Worker(env, cost, answered, random.Random(seed))

    def ask() -> Events:
        for request, at in enumerate(due.tolist()):
            if at > env.now:
                yield env.timeout(at - env.now)
            if worker.load < connections:
                worker.take(request)
            else:
                held.append(request)

    env.process(ask())
    env.run()
    return seen


class Fleet:
    """Pods of one worker behind a balancer.

    `in turn`: each listed pod after the other; `of two`: the one of two random pods with fewer requests unanswered. A
    connection that is refused is tried at another pod; a request that was sent is not.
    """

    def __init__(self, cost: Cost, due: Floats, *, pods: int, policy: str, seed: int = 1) -> None:
        self.env = simpy.Environment()
        self.seen, told = _observer(self.env, due, cost.wire)
        self._told, self._policy, self._due = told, policy, due
        self._chance = random.Random(seed)
        self.pods = [Worker(self.env, cost, told, self._chance) for _ in range(pods)]
        self._next = 0

    def run(self, *events: Callable[[Fleet], Events]) -> Seen:
        """Until everything is answered, while these happen."""
        asking = self.env.process(self._ask())
        for event in events:
            self.env.process(event(self))
        self.env.run(asking)
        self.env.run(self.env.now + 5)
        return self.seen

    def _ask(self) -> Events:
        for request, at in enumerate(self._due.tolist()):
            yield self.env.timeout(at - self.env.now)
            for _ in range(_TRIES):
                pod = self._pick()
                if pod.up:
                    pod.take(request)
                    break
            else:
                self._told(request, LOST)

    def _pick(self) -> Worker:
        pods = self.pods
        if self._policy == "of two":
            one, other = (self._listed() for _ in range(2))
            return one if one.load <= other.load else other
        for _ in range(len(pods)):
            self._next = (self._next + 1) % len(pods)
            if pods[self._next].listed:
                break
        return pods[self._next]

    def _listed(self) -> Worker:
        while not (pod := self.pods[int(self._chance.random() * len(self.pods))]).listed:
            pass
        return pod

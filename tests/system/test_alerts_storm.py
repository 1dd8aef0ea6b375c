"""Alerts of two slots through a receiver that fails at random while workers are killed: `make storm-alerts` for 10,000.

Each worker is a process of its own with the service's real alerts and nothing else, so that a new one is soon there
and one can be killed every second.
"""

import os
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import pytest

from pikkit.alerts.clock import SystemClock
from pikkit.alerts.outbox import Outbox
from tests.support.alert_worker import serve
from tests.support.forks import FORKS
from tests.support.receiver import Answer, Call, StandIn

ASKED = int(os.environ.get("PIKKIT_ALERTS", "0"))
COUNT, EVERY_S = ASKED or 100, 1.0 if ASKED else 0.2
LIFE = 0 if ASKED else COUNT // 10  # alerts that pass before the next one is killed, however slow the machine is
FAILURES = 100 if ASKED else 1  # of one alert, at most: each doubles its wait
SLOTS = ("blue", "green") * 2  # two workers each
_STARTING: list[int] = []
REQUEST, UNDER_WAY = (20, 400) if ASKED else (5, 20)  # bets of a request, alerts that wait at a time

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200 + COUNT)]


@dataclass
class Failing:
    """A receiver that honours the key: what it took, by key. A third of its answers fail, some after it took."""

    dice: random.Random
    taken: dict[str, int] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call) -> Answer:
        key = call.headers["idempotency-key"]
        with self.lock:
            cast = self.dice.random() if self.failures[key] < FAILURES else 1
            self.failures[key] += cast < 0.35
            if cast < 0.1:
                return None  # not taken
            if cast < 0.3:
                return (503 if cast < 0.15 else 500), {}, b"{}"
            self.repeats += key in self.taken
            self.taken[key] = int(call.json["bet"]["client_ref"])
            return None if cast < 0.35 else (200, {}, b"{}")  # taken, but the answer is lost


@dataclass
class Workers:
    """The workers, and the requests that they are to answer: who is killed over one has another one answer it."""

    folder: Path
    settings: dict[str, Any]
    requests: deque[list[int]]
    answered: int = 0
    kills: int = 0
    _running: list[tuple[BaseProcess, Connection, list[int] | None]] = field(default_factory=list)
    _just: set[int] = field(default_factory=set)  # which have answered last: their spools hold what is under way

    def __enter__(self) -> Self:
        self._running = [self._started(slot) for slot in SLOTS]
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running:
            running[0].kill()
            running[0].join()

    def work(self, room: int, seconds: float) -> None:
        """Hand out requests as there is room for more alerts, take answers; returns after so many seconds."""
        for i, (process, pipe, busy) in enumerate(self._running):
            if busy is None and self.requests and room > 0:
                request = self.requests.popleft()
                self._running[i] = (process, pipe, request)
                room -= REQUEST
                with suppress(OSError):
                    pipe.send(request)
        self._just.clear()
        for ready in wait([pipe for _, pipe, _ in self._running], seconds):
            [i] = [i for i, (_, pipe, _) in enumerate(self._running) if pipe is ready]
            process, pipe, _ = self._running[i]
            with suppress(EOFError, OSError):
                self.answered += len(pipe.recv())
                self._running[i] = (process, pipe, None)
                self._just.add(i)

    def kill(self, dice: random.Random) -> bool:
        """kill -9 one that has just answered, else, among thousands or once all is answered, any; tells whether it did.

        Another one of its slot takes its place.
        """
        there = [i for i, (_, _, request) in enumerate(self._running) if request != _STARTING]
        just = [i for i in there if i in self._just]
        victims = just or (there if ASKED or not self.requests else [])
        if not victims:
            return False
        i = dice.choice(victims)
        process, pipe, request = self._running[i]
        process.kill()
        process.join()
        self.kills += 1
        with suppress(EOFError, OSError):  # it may have answered just before
            while pipe.poll():
                self.answered += len(pipe.recv())
                request = None
        if request:
            self.requests.appendleft(request)
        pipe.close()
        self._running[i] = self._started(SLOTS[i])
        return True

    def _started(self, slot: str) -> tuple[BaseProcess, Connection, list[int]]:
        mine, its = FORKS.Pipe()
        run = self.folder / f"run-{slot}"
        run.mkdir(exist_ok=True)
        process = FORKS.Process(target=serve, args=(slot, run, self.folder / "log", its, self.settings))
        process.start()
        its.close()
        return process, mine, _STARTING


@pytest.fixture
def failing() -> Iterator[tuple[Failing, StandIn]]:
    receiver = Failing(random.Random(7))  # noqa: S311 - no secret
    with StandIn(receiver) as stand_in:
        yield receiver, stand_in


def test_no_alert_is_lost_or_doubled(tmp_path: Path, failing: tuple[Failing, StandIn]) -> None:
    receiver, stand_in = failing
    dice = random.Random(8)  # noqa: S311 - no secret
    settings = {
        "data_dir": tmp_path / "data",
        "n8n_webhook_url": f"{stand_in.url}/webhook/x",
        "alerts_per_hour": 0,
        "alert_ttl": 1e6,
    }
    requests = deque(list(range(first, first + REQUEST)) for first in range(0, COUNT, REQUEST))
    begin = last = time.monotonic()
    passed = 0
    with Workers(tmp_path, settings, requests) as workers:
        while len(receiver.taken) < COUNT or workers.answered < COUNT:
            workers.work(UNDER_WAY - workers.answered + len(receiver.taken), 0.05)
            due = time.monotonic() - last >= EVERY_S and len(receiver.taken) > passed + LIFE
            if due and workers.kill(dice):
                last, passed = time.monotonic(), len(receiver.taken)
            stand_in.calls.clear()
        outbox = Outbox(tmp_path / "data", SystemClock())
        while outbox.figures().depth:  # the last ones' answers were lost, perhaps: they are sent again
            time.sleep(0.1)
        assert outbox.figures().parked == 0
        outbox.close()
    if ASKED:
        sys.stdout.write(
            f"{len(receiver.taken)} alerts of {COUNT} in {time.monotonic() - begin:.0f} s, "
            f"{workers.kills} workers killed, {receiver.repeats} sent again by the same key\n"
        )
    assert workers.kills >= 5
    assert sorted(receiver.taken.values()) == list(range(COUNT))
    assert "Traceback" not in (tmp_path / "log").read_text()

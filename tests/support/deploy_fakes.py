"""The parts of a deploy stack as fakes of their ports: a flow takes milliseconds and its clock is the test's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.canary.judge import Outcome, Row, Verdict
from deploy.canary.window import Watch, Window
from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.flow.progress import Progress
from deploy.flow.stack import Stack
from deploy.journal.journal import Journal, Operation, Released
from deploy.proxy.nginx import Router
from deploy.proxy.route import Route
from deploy.release.release import Golden, Release
from deploy.settings import DeploySettings
from deploy.slot import COLOURS, SLOTS, Slot
from deploy.slots.port import Observed, Runtime


class FakeClock(Clock):
    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.epoch = 1_800_000_000.0

    def now(self) -> float:
        return self.epoch + self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Quiet(Progress):
    """A progress that remembers the phases; `interrupt` ends the command after one, as `kill -9` would."""

    phases: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    interrupt: str = ""

    def begin(self, phase: str, title: str) -> None:
        self.phases.append(phase)

    def done(self, phase: str, detail: str, seconds: float) -> None:
        assert seconds >= 0
        self.said.append(detail)
        if phase == self.interrupt:
            raise Killed

    def say(self, text: str) -> None:
        self.said.append(text)

    def verdict(self, verdict: Verdict, weight: int) -> None:
        self.said.append(verdict.outcome)


class Killed(BaseException):
    """In place of SIGKILL."""


class FakeRuntime(Runtime):
    """`doing` lists what was done to slots; `broken` are versions that end before they are ready."""

    name = "process"

    def __init__(self) -> None:
        self.slots: dict[Slot, Observed] = {slot: Observed(slot, running=False) for slot in SLOTS}
        self.models: dict[Slot, str] = {}
        self.broken: set[str] = set()
        self.doing: list[str] = []

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:
        self.doing.append(f"start {slot} {release.version}")
        self.models[slot] = self.models.get(models_from, "") if models_from else release.models_sha256
        alive = release.version not in self.broken
        self.slots[slot] = Observed(slot, running=alive, version=release.version, workers=workers, pid=1)

    def keep(self, slot: Slot, *, kept: bool) -> None:
        self.slots[slot] = replace(self.slots[slot], kept=kept)

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        if self.slots[slot].running:
            self.doing.append(f"stop {slot} {self.slots[slot].version}")
        self.slots[slot] = replace(self.slots[slot], running=False, kept=False)

    def observe(self, slot: Slot) -> Observed:
        return self.slots[slot]

    def heal(self, slot: Slot) -> bool:
        if self.slots[slot].running or not self.slots[slot].kept:
            return False
        self.revive(slot)
        return True

    def revive(self, slot: Slot) -> None:
        seen = self.slots[slot]
        self.slots[slot] = replace(seen, running=True, kept=True, restarts=seen.restarts + 1)

    def base_url(self, slot: Slot) -> str:
        return f"http://{slot}"

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        return ()

    def follow(self, slot: Slot) -> Iterator[str]:
        return iter(())

    def rotate_logs(self, limit: int) -> None:
        """Nothing is written."""


class FakeRouter(Router):
    """`routes` are those that were live, the last one being so; `refuses` makes the next change fail."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.refuses = False
        self.up = True

    def reconcile(self) -> None:
        self.up = True

    def set(self, route: Route) -> None:
        if self.refuses:
            raise RouterError("no")
        self.routes.append(route)

    def get(self) -> Route | None:
        return self.routes[-1] if self.routes else None

    def finalize(self) -> None:
        """Nothing is left over."""

    def running(self) -> bool:
        return self.up

    def wanted(self) -> bool:
        return bool(self.routes)

    def rotate_logs(self, limit: int) -> None:
        """Nothing is written."""

    def stop(self, *, grace_s: float) -> None:
        self.up = False


class FakeReleases:
    def __init__(self, *versions: str) -> None:
        self.made = {version: made_release(version, number) for number, version in enumerate(versions)}
        self.models: dict[str, Path | None] = {}  # that each was asked for with

    def get(self, version: str) -> Release | None:
        assert version  # a store makes a path of it
        return self.made.get(version)

    def find(self, version: str, models: Path | None, *, as_built: bool = False) -> Release | None:
        return self.get(version)

    def build(self, version: str, models: Path | None) -> Release:
        self.models[version] = models
        return self.made.setdefault(version, made_release(version, len(self.made)))

    def releases(self) -> Sequence[Release]:
        return sorted(self.made.values(), key=lambda release: -release.built_at)

    def delete(self, version: str) -> None:
        del self.made[version]


def made_release(version: str, number: float = 0.0, golden: tuple[Golden, ...] = ()) -> Release:
    return Release(version, "tree", "commit", f"sha {version}", "20260101", float(number), golden)


class FakeProbe(Probe):
    """Answers for what the runtime holds; `active` are requests in progress, one figure a read, the last one stays."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime
        self.active: dict[Slot, list[float]] = {}
        self.answer: Mapping[str, Any] = {"win_probability": 0.5}
        self.predicted: list[str] = []

    def _seen(self, url: str) -> Observed | None:
        name = url.rpartition("/")[2]
        seen = next((seen for slot, seen in self._runtime.slots.items() if slot == name), None)
        return seen if seen and seen.running else None

    def close(self) -> None:
        """Nothing is open."""

    def ready(self, url: str) -> bool:
        return self._seen(url) is not None

    def health(self, url: str) -> Mapping[str, Any] | None:
        seen = self._seen(url)
        if seen is None:
            return None
        told = {"status": "healthy", "models_loaded": True, "version": seen.version, "deployment": seen.slot}
        return {**told, "model_timestamp": "20260101"}

    def model_info(self, url: str) -> Mapping[str, Any] | None:
        seen = self._seen(url)
        return {"sha256": self._runtime.models[seen.slot]} if seen else None

    def predict(self, url: str, bet: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.predicted.append(url)
        return self.answer if self._seen(url) else None

    def metrics(self, url: str) -> str | None:
        seen = self._seen(url)
        if seen is None:
            return None
        left = self.active.get(seen.slot, [0.0])
        active = left.pop(0) if len(left) > 1 else left[0]
        return f"# TYPE pikkit_active_requests gauge\npikkit_active_requests {active}\n"


class FakeWindow(Window):
    """Says what it is told to; `compared` are the watches that it was asked for."""

    said: Outcome = "pass"
    after: Outcome = "pass"
    compared: Sequence[Watch] = ()

    def verdict(self) -> Verdict:
        return Verdict(self.said, (Row("5xx", "1 %", "2 %", "", self.said),))

    def across(self, watch: Watch) -> Verdict:
        self.compared = (*self.compared, watch)
        return Verdict(self.after, (Row("4xx", "3 %", "4 %", "", self.after),))


@dataclass
class Rig:
    """A stack of fakes, and each of them."""

    stack: Stack
    runtime: FakeRuntime
    router: FakeRouter
    releases: FakeReleases
    probe: FakeProbe
    window: FakeWindow
    clock: FakeClock
    progress: Quiet
    word: list[str]

    def live(self) -> str | None:
        """What clients get: the version in the slot that the route names."""
        route = self.router.get()
        assert route is not None
        seen = self.runtime.observe(route.production)
        return seen.version if seen.running else None

    def warm(self) -> set[str]:
        return {str(self.runtime.slots[colour].version) for colour in COLOURS if self.runtime.slots[colour].running}


def made(folder: Path, *versions: str, **settings: Any) -> Rig:
    clock, progress, word = FakeClock(), Quiet(), list[str]()
    told = DeploySettings(run_dir=folder, **{"warmup_requests": 3, **settings})
    runtime = FakeRuntime()
    router, releases = FakeRouter(), FakeReleases(*versions)
    probe = FakeProbe(runtime)
    journal = Journal(folder / "journal.db", clock, progress.say)
    window = FakeWindow(told, runtime, router, probe, journal, clock)
    tell: Callable[[str], None] = word.append
    stack = Stack(told, runtime, router, releases, probe, journal, clock, progress, window, tell=tell)
    return Rig(stack, runtime, router, releases, probe, window, clock, progress, word)


_CHANGING = {
    "runtime": ("start", "keep", "stop", "revive"),
    "router": ("reconcile", "set", "finalize", "stop"),
    "window": ("open", "keep", "watch", "across"),
    "progress": ("verdict",),
    "journal": ("begin", "end", "record", "write"),
}


def noted(rig: Rig) -> list[str]:
    """From now on each call that changes something, with all that it is told, in order.

    Salts are numbered, with their length. What is on record as under way is told once, not at each phase.
    """
    calls: list[str] = []
    begun: list[str] = [""]
    salts: list[str] = []

    def note(part: object, name: str, method: str) -> None:
        inner = getattr(part, method)

        def called(*args: Any, **kwargs: Any) -> Any:
            told = [_words(arg, salts) for arg in args] + [
                f"{key}={_words(value, salts)}" for key, value in kwargs.items()
            ]
            line = " ".join((f"{name}.{method}", *told))
            if method != "begin" or line.split(" (")[1] != begun[-1]:
                calls.append(line)
            if method in ("begin", "end"):
                begun.append(line.partition(" (")[2])
            return inner(*args, **kwargs)

        setattr(part, method, called)

    for name, methods in _CHANGING.items():
        for method in methods:
            part = getattr(rig.stack, name)
            if hasattr(part, method):
                note(part, name, method)
    return calls


def _words(told: Any, salts: list[str]) -> str:
    match told:
        case Route():
            if told.salt not in salts:
                salts.append(told.salt)
            salt = f"{salts.index(told.salt)}({len(told.salt)})"
            words = replace(told, salt="0").name.replace(".s0.", f".s{salt}.")
        case Release():
            words = told.tag
        case Verdict():
            words = told.outcome
        case Released():
            words = f"{told.version} in {told.slot} x{told.workers} id {told.id} before {told.before}"
        case Operation():
            words = f"{told.phase} ({told.command} {told.version} {told.slot} reject {told.reject})"
        case Watch():
            words = f"{told.version} {told.slot} after {told.before}, {told.held_s:g} s"
        case Mapping():  # seconds by phase
            words = f"({', '.join(f'{phase} {seconds}' if seconds else phase for phase, seconds in told.items())})"
        case _:
            words = str(told)
    return words

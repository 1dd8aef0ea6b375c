"""A command over many hosts: one after the other, each behind its own gates; the first failure stops it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.errors import UsageError
from deploy.fleet_status import HostStatus, read_status
from deploy.host_commands import SHIPPED, host_argv, host_environment
from deploy.host_process import Interrupts, Output, Runner
from deploy.inventory import Host

__all__ = ["CHANGES", "LOOKS", "Fleet"]

CHANGES = ("up", "deploy", "canary", "promote", "rollback", "scale", "stop")
LOOKS = ("history", "judge", "plan")
_UNDONE_BY_ROLLBACK = ("deploy", "canary", "promote")
_VERIFIED = (*_UNDONE_BY_ROLLBACK, "rollback")
_UNREACHABLE = 255
_INTERRUPTED = 130
_AT_A_TIME = 16
_MEANING = {
    1: "it failed",
    2: "it can't be done now, nothing was changed there",
    3: "a gate refused the release, production there is untouched",
    4: "the judge can't decide, the canary there stays",
    5: "the canary is worse and was stopped there",
    6: "another command is at work there",
    7: "the proxy refused",
    8: "verification found a fault",
    9: "the machine of its engine can't be reached",
    _INTERRUPTED: "interrupted",
}

Capture = Callable[[Sequence[str], Mapping[str, str], float], Output]


@dataclass(slots=True)
class Fleet:
    """Put together by `deploy.fleet_cli`; tests give it another runner.

    `again` is how this command line begins, for the advice; `commit` is what hosts reached by ssh are brought to.
    """

    hosts: tuple[Host, ...]
    chosen: tuple[Host, ...]
    entry: Sequence[str]
    environment: Mapping[str, str]
    run: Runner
    capture: Capture
    say: Callable[[str], None]
    interrupts: Interrupts
    commit: Callable[[], str]
    again: Sequence[str]
    timeout_s: float = 20
    by_name: bool = False

    def status(self, hosts: Sequence[Host] | None = None) -> list[HostStatus]:
        """All hosts at the same time, each within `timeout_s`, in file order."""
        wanted = self.chosen if hosts is None else hosts
        with ThreadPoolExecutor(max_workers=_AT_A_TIME) as pool:
            return list(pool.map(self._look, wanted))

    def look(self, arguments: Sequence[str]) -> int:
        """A command that changes nothing, on every host whatever the others say; the first exit code that is not 0."""
        return self._each(lambda host: self._on(host, host_argv(host, self.entry, arguments)))

    def verify(self, options: Sequence[str]) -> int:
        """From here against each host's `url`; every host is asked. Returns the first exit code that is not 0.

        Raises:
            UsageError: a host has no `url`.
        """
        for host in self.chosen:
            if not host.url:
                raise UsageError(f"{host.name} has no url in the inventory: add its live address")
        return self._each(lambda host: self._verify(host, options))

    def change(self, arguments: Sequence[str]) -> int:
        """Host by host in file order until one fails. Returns its exit code.

        Raises:
            UsageError: a host can't be reached; nothing was changed anywhere.
        """
        before = {seen.name: seen for seen in self.status()}
        lost = [seen for seen in before.values() if not seen.reachable]
        if lost:
            raise UsageError(
                f"nothing was changed: {'; '.join(f'{seen.name} {seen.problems[0]}' for seen in lost)}. "
                "See to it, or leave it out with --only"
            )
        if self.interrupts.count:
            self.say("nothing was changed")
            return _INTERRUPTED
        shipped = arguments[0] in SHIPPED and any(not host.local for host in self.chosen)
        commit = self.commit() if shipped else ""
        done: list[Host] = []
        for number, host in enumerate(self.chosen):
            self.say(f"{host.name} ({number + 1} of {len(self.chosen)}): {shlex.join(arguments)}")
            code, told = self._one(host, arguments, commit)
            if code:
                self._told(arguments, before, done, host, told, commit)
                return 1 if code == _UNREACHABLE else code
            done.append(host)
            self.say(f"{host.name}: done")
            if self.interrupts.count and len(done) < len(self.chosen):
                self._told(arguments, before, done, None, "interrupted", commit)
                return _INTERRUPTED
        self.say(f"done on {', '.join(host.name for host in done)}")
        return 0

    def _each(self, work: Callable[[Host], int]) -> int:
        first = 0
        for host in self.chosen:
            if self.interrupts.count:
                return _INTERRUPTED
            code = work(host)
            first = first or (1 if code == _UNREACHABLE else code)
        return first

    def _one(self, host: Host, arguments: Sequence[str], commit: str) -> tuple[int, str]:
        """Exit code, and in words what went wrong."""
        command = arguments[0]
        code = self._on(host, host_argv(host, self.entry, arguments, commit=commit))
        if code == _UNREACHABLE and not host.local:
            return code, "the connection failed or broke off; what it was at may still go on there: see its `status`"
        if code:
            return code, f"exit code {code}: {_MEANING.get(code, 'it failed')}"
        if not host.url or command not in _VERIFIED:
            return 0, ""
        version = _option(arguments, "--version") if command == "deploy" else None
        code = self._verify(host, ["--version", version] if version else [])
        if not code:
            return 0, ""
        told = f"{host.url} did not pass verification"
        if command not in _UNDONE_BY_ROLLBACK:  # going back again would bring back what was fled from
            return code, told
        back = self._on(host, host_argv(host, self.entry, ["rollback"]))
        return code, f"{told} and {'the rollback failed too: look at the host' if back else 'was rolled back'}"

    def _told(
        self,
        arguments: Sequence[str],
        before: Mapping[str, HostStatus],
        done: Sequence[Host],
        failed: Host | None,
        told: str,
        commit: str,
    ) -> None:
        """Which host is where, as seen now, and which commands go on or back."""
        now = {seen.name: seen for seen in self.status()}
        self.say("stopped. As seen now:")
        changed = []
        rest = [host for host in self.chosen if host not in done and host is not failed]
        for host in self.chosen:
            was, seen = before[host.name], now[host.name]
            moved = seen.reachable and seen.routed != was.routed
            if moved or (host in done and not seen.reachable):
                changed.append(host)
            outcome = "done" if host in done else f"FAILED ({told})" if host is failed else "untouched"
            was_words = f" (was {was.words()})" if moved else ""
            self.say(f"  {host.name}: {outcome}; {seen.words()}{was_words}")
        again = [failed, *rest] if failed else rest
        chosen = ["--only", _names(again)] if self.by_name else ["--from", again[0].name]
        # The same commit for all hosts, though this checkout may move on until then.
        ship = ["--commit", commit] if commit else []
        self.say(f"to go on:   {shlex.join([*self.again, *ship, *chosen, *arguments])}")
        if changed and arguments[0] in _UNDONE_BY_ROLLBACK:
            self.say(f"to go back: {shlex.join([*self.again, '--only', _names(changed), 'rollback'])}")

    def _look(self, host: Host) -> HostStatus:
        argv = host_argv(host, self.entry, ["status", "--json"], connect_s=max(1, int(self.timeout_s / 2)))
        output = self.capture(argv, host_environment(host, self.environment), self.timeout_s)
        return read_status(host, output, self.timeout_s)

    def _verify(self, host: Host, options: Sequence[str]) -> int:
        # From here, as clients reach it; the local settings are of no matter to it.
        return self._on(host, [*self.entry, "verify", "--url", host.url, *options])

    def _on(self, host: Host, argv: Sequence[str]) -> int:
        return self.run(argv, host_environment(host, self.environment), lambda line: self.say(f"{host.name} | {line}"))


def _names(hosts: Sequence[Host]) -> str:
    return ",".join(host.name for host in hosts)


def _option(arguments: Sequence[str], name: str) -> str | None:
    for number, argument in enumerate(arguments):
        if argument == name and number + 1 < len(arguments):
            return arguments[number + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None

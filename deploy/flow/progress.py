"""Steps as an operator sees them: each with its time, as it happens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from deploy.canary.judge import Verdict

__all__ = ["Progress"]

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


class Progress:
    """Lines on standard error, so that standard output stays for results. Where they can't be written, work goes on."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None

    @contextlib.contextmanager
    def busy(self, command: str) -> Iterator[None]:
        """On a terminal, a line that moves says what is done now; standard output has to wait for the end."""
        if not self._console.is_terminal:
            yield
            return
        self._status = self._console.status(Text(command))
        try:
            with contextlib.suppress(OSError):
                self._status.start()
            yield
        finally:
            with contextlib.suppress(OSError):
                self._status.stop()
            self._status = None

    def begin(self, phase: str, title: str) -> None:
        """Shown while it lasts; an interrupted phase is named by `status`."""
        if self._status:
            with contextlib.suppress(OSError):
                self._status.update(Text(f"{phase}: {title}"))

    def done(self, phase: str, detail: str, seconds: float) -> None:
        """One line a phase."""
        self._print(f"  [green]✓[/] {phase:<8} {seconds:7.2f} s  {escape(detail)}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._print(f"  [cyan]·[/] {escape(text)}")

    def verdict(self, verdict: Verdict, weight: int) -> None:
        """A table."""
        colour = _COLOURS[verdict.outcome]
        title = f"canary at {weight}%: [{colour}]{verdict.outcome}[/]"
        table = Table("metric", "production", "canary", "rule", "outcome", title=title, title_justify="left")
        for row in verdict.rows:
            outcome = f"[{_COLOURS[row.outcome]}]{row.outcome}[/]"
            table.add_row(row.metric, row.production, row.canary, row.rule, outcome)
        self._print(table)

    def _print(self, shown: str | Table) -> None:
        with contextlib.suppress(OSError):  # a full disk, or a terminal that is gone
            self._console.print(shown)

"""What an operator sees, character by character, and that work goes on where nothing can be shown."""

import errno
import io

import pytest
from rich.console import Console

from deploy.canary.judge import Row, Verdict
from deploy.flow.progress import Progress


def test_a_terminal_shows_what_is_done_now_and_a_file_only_what_was_done() -> None:
    for terminal in (True, False):
        shown = io.StringIO()
        progress = Progress(Console(file=shown, force_terminal=terminal, color_system=None, highlight=False))
        with progress.busy("deploy deploy --version [2]"):
            progress.begin("build", "find or build [2]")
            progress.done("build", "reused", 1.25)
        assert ("find or build [2]" in shown.getvalue()) == terminal
        assert "1.25 s  reused" in shown.getvalue()


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    flush = write  # type: ignore[assignment]


@pytest.mark.parametrize("terminal", [True, False])
def test_work_goes_on_where_nothing_can_be_shown(*, terminal: bool) -> None:
    progress = Progress(Console(file=Full(), force_terminal=terminal))
    with progress.busy("deploy up"):
        progress.begin("build", "find or build it")
        progress.done("build", "reused", 1.25)


VERDICT = Verdict(
    "fail",
    (
        Row("5xx", "1 of 200", "2 of 30", "at most 2 % more", "inconclusive"),
        Row("p95 of /predict", "10 ms", "90 ms", "at most 50 ms", "fail"),
        Row("4xx", "0 of 200", "0 of 30", "at most 5 % more", "pass"),
    ),
)
TABLE = """
canary at 10%: fail
┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
┃ metric          ┃ production ┃ canary  ┃ rule             ┃ outcome      ┃
┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
│ 5xx             │ 1 of 200   │ 2 of 30 │ at most 2 % more │ inconclusive │
│ p95 of /predict │ 10 ms      │ 90 ms   │ at most 50 ms    │ fail         │
│ 4xx             │ 0 of 200   │ 0 of 30 │ at most 5 % more │ pass         │
└─────────────────┴────────────┴─────────┴──────────────────┴──────────────┘
"""


def test_a_verdict_is_a_table_with_its_share(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    Progress().verdict(VERDICT, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.rstrip() for line in err.splitlines()] == TABLE.strip().splitlines()


def test_colours_tell_how_it_is_and_nothing_else_is_coloured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    green, red, yellow, cyan = (f"\x1b[{code}m" for code in (32, 31, 33, 36))
    progress = Progress()
    progress.done("wait", "ready after 2.3 s [1]", 2.3456)
    progress.say("12 of 34 at 127.0.0.1 " + "and so on " * 30)
    progress.verdict(VERDICT, 10)
    done, said, title, *table = capsys.readouterr().err.splitlines()
    assert done == f"  {green}✓\x1b[0m wait        2.35 s  ready after 2.3 s [1]"
    assert said == f"  {cyan}·\x1b[0m 12 of 34 at 127.0.0.1 " + "and so on " * 30
    assert "\x1b[3;31mfail" in title
    for colour, outcome in ((yellow, "inconclusive"), (red, "fail"), (green, "pass")):
        assert any(f"{colour}{outcome}\x1b[0m" in line for line in table)


def test_the_line_that_moves_is_gone_at_the_end() -> None:
    shown = io.StringIO()
    progress = Progress(Console(file=shown, force_terminal=True, color_system=None))
    with progress.busy("deploy [1]"):
        progress.say("first")
        assert "deploy [1]" in shown.getvalue()
        progress.begin("build", "find [2]")
        progress.say("then")
    length = len(shown.getvalue())
    progress.begin("claim", "free the slot")
    assert "build: find [2]" in shown.getvalue()
    assert len(shown.getvalue()) == length

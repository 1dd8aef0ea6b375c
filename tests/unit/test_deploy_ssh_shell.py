"""The shell that runs many scripts, here by `sh` of this machine."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import pytest

from deploy.ssh_shell import RemoteShell, Said, ShellEnded

BYTES = os.urandom(3_000_000)


@pytest.fixture(params=["sh", "bash"])
def shell(request: pytest.FixtureRequest) -> Iterator[RemoteShell]:
    made = RemoteShell(lambda script: [request.param, "-c", f"echo welcome; echo to you >&2\n{script}"], 10)
    yield made
    made.close()


def test_each_script_has_its_own_output_code_and_input(shell: RemoteShell) -> None:
    assert shell.run("echo out; echo error >&2; exit 44", b"", 10) == Said(44, b"out\n", "error")
    assert shell.run("printf 'no newline'", b"", 10) == Said(0, b"no newline", "")
    assert shell.run("cat", b"given\n\n", 10) == Said(0, b"given\n\n", "")
    assert shell.run("cat", b"", 10) == Said(0, b"", "")
    assert shell.run('read -r line; echo "$line"\n\n', b"1\n2\n3 3\n", 10) == Said(0, b"1\n", "")
    assert shell.run("printf %s 'Zürich'", b"not read", 10).out.decode() == "Zürich"
    assert shell.run("cd /; x=1; set -e; exec 9>&-; false; echo never", b"", 10) == Said(1, b"", "")
    assert shell.run('pwd; echo "$x"', b"", 10).out.decode() == f"{Path.cwd()}\n\n"


def test_megabytes_go_both_ways_at_once_whatever_is_in_them(shell: RemoteShell) -> None:
    assert shell.run("cat; echo end", BYTES, 60).out == BYTES + b"end\n"
    assert shell.run("head -c 10", BYTES, 60).out == BYTES[:10]
    assert shell.run("head -c 3000000 /dev/zero | tr '\\0' '\\n'", b"", 60).out == b"\n" * 3_000_000
    assert shell.run("yes e | head -n 100000 >&2; echo", b"", 60) == Said(0, b"\n", "\n".join(["e"] * 100_000))


def test_what_a_script_signals_ends_that_script_only(shell: RemoteShell) -> None:
    assert shell.run("kill -9 $$", b"x" * 100_000, 10).code == 137
    assert shell.run("trap 'echo tidied' EXIT; exit 3", b"", 10) == Said(3, b"tidied\n", "")


def test_no_answer_and_an_end_are_told(shell: RemoteShell) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        shell.run("sleep 30", b"", 0.2)
    assert time.monotonic() - began < 5
    brief = RemoteShell(lambda script: ["sh", "-c", f"timeout 1 sh -c {quote(script)}; echo gone >&2"], 10)
    with contextlib.closing(brief), pytest.raises(ShellEnded, match="gone"):
        brief.run("sleep 30", b"", 10)
    with pytest.raises(ShellEnded, match="no way there"):
        RemoteShell(lambda _: ["sh", "-c", "echo no way there >&2; exit 255"], 10)
    with pytest.raises(TimeoutError):
        RemoteShell(lambda _: ["sleep", "30"], 0.2)

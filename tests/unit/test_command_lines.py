"""Every command of the repository says what it does, by an example that can be typed, and how it ends."""

import ast
import os
import pty
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.command_lines import APPS, Command, commands
from tests.support.completion import FILE, script
from tests.support.need import root

COMMANDS = list(commands())
each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.line)


def _help(program: str, name: str = "") -> str:
    told = CliRunner().invoke(APPS[program], [*([name] if name else []), "--help"], prog_name=f"python {program}")
    assert told.exit_code == 0
    return told.stdout


@pytest.mark.parametrize("program", APPS)
def test_help_is_plain_where_it_is_piped_and_names_the_exit_codes(program: str) -> None:
    told = _help(program)
    assert "Exit codes:" in told
    assert "\x1b" not in told
    assert "\b" not in told


@each_command
def test_help_has_examples_that_can_be_typed(command: Command) -> None:
    told = _help(command.program, command.name)
    examples = re.findall(r"(?m)(?:Example: +|^ *)(?:\w+=\S+ )*(python (?:-m )?\S+.*)$", told)
    assert examples, told
    for example in examples:
        typed = re.split(r"  +|[>|]", example)[0].strip()
        assert typed.startswith(command.line)
        command.parsed.make_context(command.line, shlex.split(typed.removeprefix(command.line)))


@each_command
def test_each_option_and_argument_is_explained(command: Command) -> None:
    assert command.parsed.help
    assert [param.name for param in command.parsed.params if not param.help and param.name != "context"] == []


@each_command
def test_an_option_that_is_none_is_refused_with_2(command: Command) -> None:
    arguments = [*([command.name] if command.name else []), "--no-such-option"]
    told = CliRunner().invoke(APPS[command.program], arguments)
    assert told.exit_code == 2
    assert "--no-such-option" in told.output


_PROGRAMS = [
    file
    for folder in ("benchmarks", "deploy", "monitoring", "pikkit", "tests/support", "training")
    for file in sorted((root() / folder).rglob("*.py"))
    if '__name__ == "__main__"' in file.read_text(encoding="utf-8")
    and "rivals" not in file.parts  # each in an environment of its own
    and file.name not in ("deploy_stub.py", "deploy_stack.py")  # tests' own services
]


@pytest.mark.parametrize("file", _PROGRAMS, ids=lambda file: str(file.relative_to(root())))
def test_whoever_asks_a_program_for_help_gets_it_and_nothing_begins(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [file.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(file), run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out.lower()


DOCUMENTED = {
    row[0]: row[1:]
    for line in (root() / "docs/commands.md").read_text(encoding="utf-8").splitlines()
    if (row := [cell.strip() for cell in line.strip("| ").split("|")])[0].startswith("`python ")
}


def test_the_table_of_commands_has_them_all_and_no_other() -> None:
    assert {f"`{command.line}`" for command in COMMANDS} == set(DOCUMENTED)


@each_command
def test_the_table_of_commands_tells_the_truth(command: Command) -> None:
    _, json_, _, codes = DOCUMENTED[f"`{command.line}`"]
    assert (json_ == "`--json`") == ("--json" in command.options)
    told = " ".join(_help(command.program).partition("Exit codes:")[2].split())
    for code in re.findall(r"\d+", codes):
        assert re.search(rf"\b{code}\b", told), (code, told)


def test_the_completion_is_that_of_the_commands() -> None:
    """Where it is not: `make completion`."""
    assert (root() / FILE).read_text(encoding="utf-8") == script()


def _completed(folder: Path, typed: str) -> list[str]:
    """What bash offers for the last word."""
    ask = f"""
        source {shlex.quote(str(root() / FILE))}
        COMP_WORDS=({typed}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        complete -p "${{COMP_WORDS[0]}}" | grep -q -- '-F _pikkit' || exit 1
        _pikkit
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ran = subprocess.run(["bash", "-uc", ask], cwd=folder, capture_output=True, text=True, check=True)
    assert not ran.stderr
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("python -m dep", ["deploy"]),
        (".venv/bin/python -m pikkit.", ["pikkit.alerts", "pikkit.serve", "pikkit.slate"]),
        (".venv/bin/python -m deploy p", ["pause", "plan", "promote"]),
        ("python -m deploy deploy --m", ["--models"]),
        ("python -m deploy plan d", ["deploy"]),
        ("python -m deploy canary --version 1.2.0 --a", ["--auto", "--as-built"]),
        ("python -m deploy deploy --models ''", []),
        ("python -m pikkit.alerts list --state de", ["delivered"]),
        ("python -m training li", ["live-report"]),
        ("python -m pikkit.slate --js", ["--json"]),
        ("python import_models.py --fr", ["--from"]),
        ("python ./import_models.py --if", ["--if-changed"]),
        ("python -m http.server ''", []),
        ("python other.py --fr", []),
    ],
)
def test_bash_completes(tmp_path: Path, typed: str, offered: list[str]) -> None:
    assert _completed(tmp_path, typed) == offered


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_a_terminals_unless_it_wants_none(
    tmp_path: Path, environment: dict[str, str], *, coloured: bool
) -> None:
    """What is piped has none: as in every test that reads a command's output."""
    inside, outside = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ran = subprocess.run(
        [sys.executable, "-m", "deploy", "judge"],
        cwd=root(),
        env={**kept, "TERM": "xterm-256color", "DEPLOY_RUN_DIR": str(tmp_path), **environment},
        stdin=subprocess.DEVNULL,
        stdout=outside,
        stderr=outside,
        check=False,
    )
    os.close(outside)
    told = os.read(inside, 10_000).decode()
    os.close(inside)
    assert ran.returncode == 2, told
    assert ("\x1b[3" in told) == coloured


def test_consoles_take_nobodys_words_for_markup() -> None:
    """Names of bets, files and receivers are printed; those of `deploy` are escaped one by one, as it has colours."""
    files = [root() / "import_models.py", *(root() / "pikkit").rglob("*.py"), *(root() / "training").rglob("*.py")]
    made = [
        (file.name, ", ".join(map(ast.unparse, call.keywords)))
        for file in files
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "Console"
    ]
    assert made
    plain = ("markup=False, emoji=False", "**_PLAIN")
    assert [one for one in made if not one[1].endswith(plain)] == []

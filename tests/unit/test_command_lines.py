"""Every command of the repository says what it does, by an example that can be typed, and how it ends."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import import_models
from deploy.cli.shell import app as deploy
from pikkit import serve
from pikkit.alerts.__main__ import app as alerts
from pikkit.slate.__main__ import app as slate
from training.__main__ import app as training

APPS = {
    "python import_models.py": import_models.app,
    "python -m training": training,
    "python -m pikkit.alerts": alerts,
    "python -m pikkit.slate": slate,
    "python -m deploy": deploy,
}


def commands() -> Iterator[tuple[str, str, Any]]:
    for program, app in APPS.items():
        command = typer.main.get_command(app)
        for name, one in getattr(command, "commands", {"": command}).items():
            if not one.hidden:  # a removed one, which names its successor
                yield program, name, one


@pytest.mark.parametrize("program", APPS)
def test_help_is_plain_where_it_is_piped_and_names_the_exit_codes_and_an_example(program: str) -> None:
    told = CliRunner().invoke(APPS[program], ["--help"])
    assert told.exit_code == 0
    assert "Exit codes:" in told.stdout
    assert re.search("[Ee]xample", told.stdout)
    assert "\x1b" not in told.stdout


@pytest.mark.parametrize(("program", "name", "command"), list(commands()), ids=lambda value: str(value)[:40])
def test_an_option_that_is_none_is_refused_with_2(program: str, name: str, command: Any) -> None:
    told = CliRunner().invoke(APPS[program], [*([name] if name else []), "--no-such-option"])
    assert told.exit_code == 2
    assert "--no-such-option" in told.output
    assert command.help


EXAMPLES = [
    (f"{program} {name}".strip(), line, command)
    for program, name, command in commands()
    if program != "python -m deploy"  # whose help begins with them
    for line in re.findall(r"(?m)(?:Example: +|^ *)(python (?:-m )?\S+.*)$", f"{command.epilog or ''}\n{command.help}")
]


@pytest.mark.parametrize(("called", "line", "command"), EXAMPLES, ids=lambda value: str(value)[:60])
def test_each_example_can_be_typed(called: str, line: str, command: Any) -> None:
    typed = re.split(r"  +|[>|]", line)[0].strip()
    assert typed.startswith(called)
    command.make_context(called, shlex.split(typed.removeprefix(called)))


def test_each_command_has_an_example() -> None:
    with_one = {called for called, _, _ in EXAMPLES}
    assert with_one == {f"{program} {name}".strip() for program, name, _ in commands() if program != "python -m deploy"}


def test_serving_has_help_and_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code in ((["--help"], 0), (["--relaod"], 2)):
        with pytest.raises(SystemExit) as ended:
            serve.main(arguments)
        assert ended.value.code == code
    assert "Example: PORT=8001" in capsys.readouterr().out

"""What is wrong with files, options and settings of a command is told in one line with a way out, by no traceback."""

import runpy
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.need import root

pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # other tests import them
PROGRAMS: dict[str, Callable[[], object]] = {
    "import_models.py": lambda: runpy.run_path(str(root() / "import_models.py"), run_name="__main__"),
    **{
        name: lambda name=name: runpy.run_module(name, run_name="__main__")  # type: ignore[misc]
        for name in ("training", "pikkit.alerts", "pikkit.slate", "pikkit.serve")
    },
}
MISSING, FOLDER, EMPTY, BINARY = "missing", "folder", "empty", "binary"
FILES = (MISSING, FOLDER, EMPTY, BINARY)
CSV = ("CSV", "cells are parted by", "export the bets again")
# Program, arguments, what is told of it; FILE is put in.
FILE = "FILE"
READ = [
    ("training", ("train", "--out", "out", "--bets", FILE), CSV),
    ("training", ("score", FILE), CSV),
    ("import_models.py", ("--check", "--bets", FILE), CSV),
    ("import_models.py", ("--check", "--history", FILE), ("make one with --bets", "write it again")),
    ("pikkit.slate", (FILE,), ("name a slate",)),
]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str]]:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / EMPTY).touch()
    (tmp_path / BINARY).write_bytes(bytes([0x92, 0, 10, 255]) * 100)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MODEL_DIR", str(root() / "models"))

    def told(program: str, *arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as ended:
            PROGRAMS[program]()
        out = capsys.readouterr()
        said = ended.value.code if isinstance(ended.value.code, str) else out.err + out.out
        return (1 if isinstance(ended.value.code, str) else ended.value.code), said.strip()

    return told


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(("program", "arguments", "remedies"), READ)
def test_a_file_that_can_not_be_read_is_named_with_what_to_give_instead(
    run: Callable[..., tuple[object, str]], program: str, arguments: tuple[str, ...], remedies: tuple[str, ...],
    kind: str,
) -> None:  # fmt: skip
    code, said = run(program, *(kind if word == FILE else word for word in arguments))
    assert code == (2 if program == "pikkit.slate" else 1)
    assert kind in said.splitlines()[-1]
    assert any(words in said for words in remedies)
    assert "Errno" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("program", "arguments", "environment", "words"),
    [
        *(
            (program, arguments, environment, words)
            for program, arguments in (
                ("training", ("score", BINARY)),
                ("pikkit.alerts", ("list",)),
                ("pikkit.slate", (BINARY,)),
                ("pikkit.serve", ()),
                ("import_models.py", ("--check",)),
            )
            for environment, words in (
                ({"PORT": "abc"}, "settings: PORT=abc: Input should be a valid integer"),
                ({"RELOAD_INTERVALL": "5"}, "settings: RELOAD_INTERVALL is not a setting: did you mean"),
            )
        ),
        ("import_models.py", ("--tag", "x y"), {}, "import failed: 'x y' is not a tag"),
        ("import_models.py", ("--check", "--from", EMPTY), {}, "empty is not a folder: name one that holds"),
        ("pikkit.slate", (BINARY, "--grade", "Z"), {}, "'Z' is not one of"),
        ("pikkit.alerts", ("retry", "abc"), {}, "no parked alert begins with 'abc'"),
        ("pikkit.alerts", ("list",), {"DATA_DIR": EMPTY}, "DATA_DIR=empty is not a folder"),
        ("training", ("starter", "--out", EMPTY), {}, "empty: File exists: name another place"),
        ("training", ("train", "--bets", BINARY, "--out", EMPTY), {}, "empty: File exists: name another place"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_rule(
    run: Callable[..., tuple[object, str]],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    words: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, said = run(program, *arguments)
    assert code in (1, 2)
    assert words in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_told_before_anything_starts(
    run: Callable[..., tuple[object, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        _, said = run("pikkit.serve")
    assert (
        said == f"127.0.0.1:{port} can't be listened on (Address already in use): stop what listens there, or set PORT"
    )

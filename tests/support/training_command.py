"""`python -m training` in the test's process, sets of models read there too: to start takes three and two seconds."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from tests.support.converted import read_here
from training.cli import main
from training.cli.shell import console


def training(*arguments: object) -> tuple[int, str]:
    """Exit code and output, errors too, of a command on a wide terminal."""
    told, code = StringIO(), None
    with (
        redirect_stdout(told),
        redirect_stderr(told),
        patch.object(sys, "argv", ["training", *map(str, arguments)]),
        patch.object(console, "_width", 200),
        read_here(),
    ):
        try:
            main()
        except SystemExit as done:
            code = done.code
    if isinstance(code, str):  # which the interpreter would print
        return 1, told.getvalue() + code
    return code or 0, told.getvalue()

"""What all commands share: options, reading, progress, and how errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pikkit.errors import ModelError
from pikkit.exports.layout import Asked
from pikkit.exports.settled import check_apart, read_settled
from pikkit.files import why
from pikkit.history.history import SettledBets
from pikkit.models.importing import checked, served_locally
from pikkit.models.model_set import ModelSet
from pikkit.settings import Settings, WrongSetting
from training.settled.imports import imports_of

__all__ = [
    "AsJson",
    "Bets",
    "FromSupabase",
    "Models",
    "Report",
    "app",
    "console",
    "loaded_from",
    "main",
    "progress_bar",
    "read",
    "writable",
    "write_page",
]

_HELP = """Train, validate and publish model sets; grade files of bets; judge what was served.

Exit codes: 0 done; 1 a gate failed, or the message says why not; 2 an option is wrong. Each command's --help has an
example.
"""

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=_HELP)
console = Console(markup=False, emoji=False)

Bets = Annotated[Path | None, typer.Option("--bets", help="Settled bets, CSV or Parquet", metavar="FILE")]
FromSupabase = Annotated[bool, typer.Option("--supabase", help="Read the table `bets` of SUPABASE_URL")]
Models = Annotated[
    Path | None, typer.Option("--models", help="Default: the set that local servers serve", metavar="DIR")
]


def writable(file: Path | None) -> Path | None:
    """The file, if one can be there: told before what takes minutes is waited for."""
    if file is not None and (file.is_dir() or not os.access(file.parent, os.W_OK)):
        raise typer.BadParameter(f"{file} can't be written: name a file in a folder that is there")
    return file


Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write an HTML report there", metavar="FILE", callback=writable),
]


def _aside(as_json: bool) -> bool:
    """What is said to people goes to standard error where a program reads the answer."""
    console.stderr = as_json
    return as_json


AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs", callback=_aside)]


def read(
    bets: Path | None, asked: Asked, *, supabase: bool, rejected: Path | None, written: Sequence[Path | None]
) -> SettledBets:
    """The bets that a command was told of; `written`: files that it will write, none of which is to be these.

    Raises:
        ModelError: it was told of none, of two sources, or there is no usable bet.
    """
    if (bets is None) == (not supabase):
        raise ModelError("name the bets: --bets FILE or --supabase (one of them); nothing is trained without bets")
    with console.status(f"reading {bets or 'Supabase'}"):
        if bets is None:
            from training.settled.supabase import fetch_settled  # noqa: PLC0415 - a second to import

            settled, report = fetch_settled(Settings.load(), placed=asked.placed)
        else:
            check_apart(bets, *written)
            settled, report = read_settled(bets, asked, rejected=rejected)
    for line in report.lines():
        console.print(line, soft_wrap=True)
    imports = imports_of(settled.bets.placed_at)
    if imports:
        console.print(imports.words(len(settled)), soft_wrap=True)
    if not len(settled):
        raise ModelError("there is no usable bet: nothing is trained or judged without bets")
    return settled


@contextmanager
def loaded_from(folder: Path | None) -> Iterator[ModelSet]:
    """The set in a folder, checked; without a folder the one that local servers serve, which is named."""
    place = folder or Settings.load().model_dir
    with ExitStack() as stack:
        with console.status(f"checking the models in {place}"):
            models = stack.enter_context(checked(place) if folder else served_locally(place))
        if folder is None:
            console.print(f"model set {models.tag} (from {models.source or 'MODEL_DIR'})", soft_wrap=True)
        yield models


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of so many steps; what it yields is told how many were taken."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)


def write_page(report: Path | None, page: Callable[[], str]) -> None:
    """Write the HTML page, where one is wanted."""
    if report:
        report.write_text(page(), encoding="utf-8")
        console.print(f"report: {report}")


def main() -> None:
    """Run a command; what can't be done is said in one line."""
    try:
        app()
    except ModelError as error:
        sys.exit(f"{error.message}")
    except WrongSetting as error:
        sys.exit(f"settings: {error}")
    except OSError as error:
        sys.exit(f"{error.filename or 'the disk'}: {why(error)}: name another place, or see to its rights")

"""What all commands share: options, the stack that they work on, the lock, and how errors become exit codes."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.compose import Composer
from deploy.errors import DeployError, GateFailed
from deploy.flow.progress import Progress
from deploy.flow.recovery import recover
from deploy.flow.stack import Stack
from deploy.slot import Slot
from deploy.watch.observation import write_targets

__all__ = [
    "AsBuilt",
    "AsJson",
    "Models",
    "OlderModels",
    "OptionalVersion",
    "SlotName",
    "Version",
    "Workers",
    "app",
    "console",
    "locked",
    "main",
    "opened",
    "output",
    "told",
]

_HELP = """Blue/green and canary deployments without a dropped request.

\b
Examples:
  python -m deploy up                                    start everything; build a release if there is none
  python -m deploy deploy --version 1.2.0                blue/green
  python -m deploy canary --version 1.3.0 --weight 10    10 % of the clients
  python -m deploy canary --version 1.3.0 --steps 10,25,50,100 --interval 5m --auto
  python -m deploy promote                               the canary becomes production
  python -m deploy abort                                 the canary ends
  python -m deploy rollback                              production goes back
  python -m deploy status                                what runs

\b
Exit codes:
    0  done
    1  failed
    2  can't be done as it was asked, or now; nothing was changed
    3  a gate refused the release; production is untouched
    4  the judge can't decide; the canary stays
    5  the canary is worse and was stopped
    6  locked by another command
    7  the proxy refused
    8  `verify` found a fault
  130  interrupted
`status` alone: 0 healthy; 20 served, but something is not as it should be; 21 not served; 22 nothing was deployed yet.
"""
_INTERRUPTED = 130

app = typer.Typer(
    help=_HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
)
console = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False, width=None if sys.stdout.isatty() else 200)

Version = Annotated[str, typer.Option("--version", help="Version of the release, e.g. 1.2.0")]
OptionalVersion = Annotated[str | None, typer.Option("--version", help="Version of the release")]
Models = Annotated[Path | None, typer.Option("--models", help="Folder of model files", exists=True, file_okay=False)]
Workers = Annotated[int | None, typer.Option("--workers", help="Worker processes", min=1, max=64)]
AsBuilt = Annotated[bool, typer.Option("--as-built", help="Reuse a release even if the code here has changed since")]
OlderModels = Annotated[
    bool, typer.Option("--older-models", help="Even if a newer model set was hot-reloaded into production")
]
SlotName = Annotated[Slot | None, typer.Argument(help="The slot")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs")]


@contextlib.contextmanager
def opened(context: typer.Context, *, progress: Progress | None = None) -> Iterator[Stack]:
    """The stack; whatever goes wrong within the block becomes a line and an exit code."""
    composer: Composer = context.obj
    try:
        stack = composer.stack(composer.settings(), progress or Progress(console))
        with contextlib.closing(stack):
            yield stack
    except DeployError as error:
        console.print(f"[red]✗[/] {escape(str(error))}")
        if isinstance(error, GateFailed) and error.log:
            console.print("last lines of the slot:")
            for line in error.log:
                console.print(f"    {line}", markup=False)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        console.print(f"[red]✗[/] {escape(what + (error.strerror or str(error)))}: see to the disk and its rights")
        raise typer.Exit(DeployError.exit_code) from None
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: `status` tells what is, and the next command goes on from there")
        raise typer.Exit(_INTERRUPTED) from None


@contextlib.contextmanager
def locked(context: typer.Context) -> Iterator[Stack]:
    """The same under the lock, with what an interrupted command left put in order first."""
    command = " ".join(["deploy", *sys.argv[1:]])
    progress = Progress(console)
    with opened(context, progress=progress) as stack, stack.lock(command), progress.busy(command):
        recover(stack)
        yield stack
        with contextlib.suppress(OSError):
            write_targets(stack)


def told(data: object) -> None:
    """The answer to a program: JSON on standard output."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def main(composer: Composer | None = None) -> None:
    """Run the command line with the real parts, or with those of `composer`."""
    app(obj=composer or Composer())

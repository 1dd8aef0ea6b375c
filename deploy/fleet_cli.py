"""`python -m deploy fleet …`: reads the inventory, puts the parts together, maps errors to exit codes."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import DeployError, UsageError
from deploy.fleet import CHANGES, LOOKS, Fleet
from deploy.fleet_status import fleet_problems, fleet_status, fleet_table
from deploy.host_commands import checked_commit
from deploy.host_process import Interrupts, capture, run_streamed
from deploy.inventory import Host, chosen, parse_inventory

__all__ = ["CONTEXT_SETTINGS", "fleet"]

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
_ROOT = Path(__file__).resolve().parent.parent
_OURS = ("--inventory", "--from", "--only", "--commit", "--timeout")


def fleet(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help=f"status, verify, {', '.join((*CHANGES, *LOOKS))}; with its options")],
    inventory: Annotated[
        Path, typer.Option("--inventory", envvar="DEPLOY_INVENTORY", help="TOML file of the hosts")
    ] = Path("deploy/hosts.toml"),
    first: Annotated[str | None, typer.Option("--from", help="Begin with this host")] = None,
    only: Annotated[str | None, typer.Option("--only", help="These hosts only, e.g. web1,web2")] = None,
    commit: Annotated[
        str | None, typer.Option("--commit", help="What hosts reached by ssh check out; default: HEAD of this checkout")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest wait for a host's status, seconds", min=1, max=300)] = 20,
) -> None:
    """Run a command on all hosts of an inventory, one after the other. Options of `fleet` go before the command."""
    interrupts = Interrupts(say=_say)
    try:
        hosts = _read(inventory)
        again = [Path(sys.executable).name, "-m", "deploy", "fleet", "--inventory", str(inventory)]
        if commit:
            checked_commit(commit)
        made = Fleet(
            hosts=hosts,
            chosen=chosen(hosts, first=first, only=only),
            entry=context.obj.entry,
            environment=os.environ,
            run=functools.partial(run_streamed, interrupts),
            capture=capture,
            say=_say,
            interrupts=interrupts,
            commit=lambda: commit or _head(),
            again=again,
            timeout_s=timeout,
            by_name=only is not None,
        )
        with interrupts.watching():
            code = _run(made, [command, *context.args])
    except DeployError as error:
        _say(f"✗ {error}")
        raise typer.Exit(error.exit_code) from None
    if code:
        raise typer.Exit(code)


def _run(made: Fleet, arguments: list[str]) -> int:
    command, *options = arguments
    for option in options:
        if option.partition("=")[0] in _OURS:
            raise UsageError(f"{option} is an option of fleet: write it before {command!r}")
    if command in CHANGES:
        return made.change(arguments)
    if command in LOOKS:
        return made.look(arguments)
    if command == "verify":
        return made.verify(options)
    if command != "status":
        raise UsageError(f"fleet can't {command!r}: it can status, verify, {', '.join((*CHANGES, *LOOKS))}")
    if options not in ([], ["--json"]):
        raise UsageError(f"fleet status takes --json only, not {' '.join(options)}")
    seen = made.status()
    if options:
        sys.stdout.write(json.dumps(fleet_status(seen), indent=2) + "\n")
    else:
        from rich.console import Console  # noqa: PLC0415 - only where a table is drawn

        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(fleet_table(seen))
        for problem in fleet_problems(seen):
            _say(f"✗ {problem}")
    return 1 if fleet_problems(seen) else 0


def _read(path: Path) -> tuple[Host, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the inventory {path} can't be read ({error}): copy deploy/hosts.example.toml to it, or name another "
            "with --inventory"
        ) from error
    return parse_inventory(text, str(path))


def _head() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"the commit to ship can't be told ({done.stderr.strip()}): name it with --commit")
    return checked_commit(done.stdout.strip())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

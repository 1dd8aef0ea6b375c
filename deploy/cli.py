"""The command line: parse, call, map errors to exit codes. Nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from deploy.checks.verify import Thresholds, verify_contract, verify_load
from deploy.compose import Composer
from deploy.errors import DeployError, GateFailed, UsageError, VerifyFailed
from deploy.flow.operations import Operations, Ramp
from deploy.flow.plan import plan as plan_lines
from deploy.flow.progress import ConsoleProgress
from deploy.flow.stack import Machine
from deploy.flow.startup import bring_up
from deploy.slot import slot_named
from deploy.watch.report import history_table, status_table
from deploy.watch.report import status as status_data
from deploy.watch.supervisor import Supervisor, start_supervisor, stop_supervisor
from deploy.watch.targets import write_targets

__all__ = ["app", "main"]

_HELP = """Blue/green and canary deployments without a dropped request.

Examples:

  python -m deploy up                                    start everything; build a release if there is none

  python -m deploy deploy --version 1.2.0                blue/green

  python -m deploy canary --version 1.3.0 --weight 10    10% of the clients

  python -m deploy canary --version 1.3.0 --steps 10,25,50,100 --interval 5m --auto

  python -m deploy promote | rollback | status | history

Exit codes: 0 done; 1 failed; 2 can't be done now, nothing changed; 3 a gate refused the release, production is
untouched; 4 the judge can't decide, the canary stays; 5 the canary is worse and was stopped; 6 locked by another
command; 7 the proxy refused; 8 `verify` found a fault; 130 interrupted.
"""
_INTERRUPTED = 130

app = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
_console = Console(stderr=True, highlight=False, soft_wrap=True)
_output = Console(highlight=False, width=None if sys.stdout.isatty() else 200)

Version = Annotated[str, typer.Option("--version", help="Version of the release, e.g. 1.2.0")]
OptionalVersion = Annotated[str | None, typer.Option("--version", help="Version of the release")]
Models = Annotated[Path | None, typer.Option("--models", help="Folder with the model files", exists=True)]
Workers = Annotated[int | None, typer.Option("--workers", help="Worker processes", min=1, max=64)]
AsBuilt = Annotated[bool, typer.Option("--as-built", help="Reuse a release even if the code here has changed since")]
OlderModels = Annotated[
    bool, typer.Option("--older-models", help="Even if a newer model set was hot-reloaded into production")
]
SlotName = Annotated[str | None, typer.Argument(help="blue, green or canary")]


@contextlib.contextmanager
def _machine(context: typer.Context) -> Iterator[Machine]:
    composer = context.obj
    try:
        machine = composer.machine(composer.settings(), ConsoleProgress(_console))
        with contextlib.closing(machine):
            yield machine
    except ValidationError as error:
        for fault in error.errors():
            name = "".join(f"DEPLOY_{part}: ".upper() for part in fault["loc"])
            _console.print(f"[red]setting[/] {name}{fault['msg']}")
        raise typer.Exit(UsageError.exit_code) from None
    except DeployError as error:
        _console.print(f"[red]✗[/] {escape(str(error))}")
        if isinstance(error, GateFailed) and error.log:
            _console.print("last lines of the slot:")
            for line in error.log:
                _console.print(f"    {line}", markup=False)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _console.print("[yellow]interrupted[/]: `status` tells what is, and the next command goes on from there")
        raise typer.Exit(_INTERRUPTED) from None


@contextlib.contextmanager
def _locked(context: typer.Context) -> Iterator[tuple[Machine, Operations]]:
    with _machine(context) as machine:
        words = " ".join(["deploy", *sys.argv[1:]])
        with machine.lock(words):
            yield machine, Operations(machine, os.getpid())
            write_targets(machine)


@app.command()
def up(
    context: typer.Context,
    version: OptionalVersion = None,
    models: Models = None,
    workers: Workers = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay and supervise")] = False,
) -> None:
    """Start what was in production (or --version), Nginx, and the supervisor."""
    with _locked(context) as (machine, operations):
        bring_up(machine, operations, version=version, models=models, workers=workers)
        command = [*context.obj.entry, "supervise"]
        if not foreground and start_supervisor(machine.settings.run_dir, command):
            machine.progress.say("the supervisor was left running")
        _output.print(machine.settings.url)
    if foreground:
        supervise(context)


@app.command(hidden=True)
def supervise(context: typer.Context) -> None:
    """Supervise in the foreground."""
    with _machine(context) as machine:
        Supervisor(machine).run()


@app.command()
def deploy(
    context: typer.Context,
    version: Version,
    models: Models = None,
    workers: Workers = None,
    as_built: AsBuilt = False,
    older_models: OlderModels = False,
) -> None:
    """Build or reuse a release and make it production, blue/green."""
    with _locked(context) as (_, operations):
        operations.deploy(version, models, workers, as_built=as_built, older_models=older_models)


@app.command()
def canary(
    context: typer.Context,
    version: OptionalVersion = None,
    models: Models = None,
    weight: Annotated[int, typer.Option(help="Percent of the clients", min=0, max=100)] = 10,
    steps: Annotated[str | None, typer.Option(help="Weights of a ramp, e.g. 10,25,50,100; with --auto")] = None,
    interval: Annotated[str, typer.Option(help="Time at each step, e.g. 30s, 5m, 1h")] = "5m",
    auto: Annotated[bool, typer.Option("--auto", help="Judge after each step; promote, pause or go back")] = False,
    as_built: AsBuilt = False,
    older_models: OlderModels = False,
) -> None:
    """Give a share of the clients to a release; without --version, change the share of the one that runs."""
    with _locked(context) as (_, operations):
        if steps and not auto:
            raise UsageError("--steps needs --auto: without it, set each --weight yourself")
        ramp = Ramp(_weights(steps or "10,25,50,100"), _seconds(interval)) if auto else None
        operations.canary(version, models, weight, ramp, as_built=as_built, older_models=older_models)


@app.command()
def promote(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Even if the judge finds it worse")] = False,
) -> None:
    """Make the canary's release, with the models it serves now, production."""
    with _locked(context) as (_, operations):
        operations.promote(force=force)


@app.command()
def judge(context: typer.Context) -> None:
    """Compare the canary with production, as --auto would; change nothing."""
    with _machine(context) as machine:
        verdict = Operations(machine, os.getpid()).verdict()
        route = machine.router.get()
        machine.progress.verdict(verdict, route.weight if route else 0)


@app.command()
def rollback(context: typer.Context) -> None:
    """End the canary; without one, go back to the release before this one."""
    with _locked(context) as (_, operations):
        operations.rollback()


@app.command()
def status(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False
) -> None:
    """Show what runs. Everything is looked at now; nothing is changed."""
    with _machine(context) as machine:
        data = status_data(machine)
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
        return
    _output.print(status_table(data))
    for name in ("rollback_to", "rejected", "interrupted", "at_work"):
        if data[name]:
            _output.print(f"{name.replace('_', ' ')}: {data[name]}")
    _output.print(f"supervisor: {'pid ' + str(data['supervisor']) if data['supervisor'] else 'not running'}")
    if data["state_file"] != "ok":
        _output.print(f"state file: {data['state_file']}")


@app.command()
def history(
    context: typer.Context,
    last: Annotated[int, typer.Option("--last", "-n", help="Entries", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines")] = False,
) -> None:
    """Show who did what, when, and how it went."""
    with _machine(context) as machine:
        entries = machine.audit.read(last)
    if as_json:
        sys.stdout.writelines(json.dumps(entry) + "\n" for entry in entries)
    else:
        _output.print(history_table(entries))


@app.command()
def logs(
    context: typer.Context,
    slot: SlotName = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 50,
) -> None:
    """Show the last lines of a slot, by default of the one in production."""
    with _machine(context) as machine:
        name = slot_named(slot) if slot else machine.production()
        sys.stdout.writelines(line + "\n" for line in machine.runtime.log_lines(name, lines))
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                for line in machine.runtime.follow(name):
                    sys.stdout.write(line + "\n")
                    sys.stdout.flush()


@app.command()
def stop(
    context: typer.Context,
    slot: SlotName = None,
    force: Annotated[bool, typer.Option("--force", help="Even the slot in production")] = False,
) -> None:
    """Stop one slot, or everything."""
    with _locked(context) as (machine, operations):
        if slot:
            operations.stop(slot_named(slot), force=force)
        else:
            stop_supervisor(machine.settings.run_dir)
            operations.stop_all()


@app.command()
def scale(
    context: typer.Context,
    slot: Annotated[str, typer.Argument()],
    workers: Annotated[int, typer.Argument(min=1, max=64)],
) -> None:
    """Give production another number of workers, by way of the other slot, so that nothing is dropped."""
    with _locked(context) as (_, operations):
        operations.scale(slot_named(slot), workers)


@app.command()
def build(
    context: typer.Context,
    version: Version,
    models: Models = None,
    image: Annotated[bool, typer.Option("--image", help="Also as a container image, with its SBOM")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for image.json and sbom.json")] = Path("dist"),
) -> None:
    """Build a release and start nothing."""
    with _locked(context) as (machine, _):
        release = machine.releases.build(version, models)
        _output.print(f"{release.tag}  commit {release.commit}  models {release.models_version}")
        if image:
            made = context.obj.images(machine.settings).build(release, out)
            _output.print(f"image {made.tag}  {made.bytes / 1e6:.0f} MB  {made.id}")


@app.command()
def plan(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help="deploy, canary, promote or rollback")],
    version: OptionalVersion = None,
) -> None:
    """Show what a command would do. Changes nothing."""
    with _machine(context) as machine:
        for line in plan_lines(machine, command, version):
            _output.print(line, markup=False)


@app.command()
def verify(
    context: typer.Context,
    url: Annotated[str | None, typer.Option("--url", help="Live address; default: the proxy")] = None,
    version: OptionalVersion = None,
    requests: Annotated[int, typer.Option(help="Requests of the load test; 0 for none", min=0, max=100_000)] = 500,
    seconds: Annotated[float, typer.Option(help="Longest load test", min=1, max=600)] = 20,
    clients: Annotated[int, typer.Option(help="Clients at a time", min=1, max=64)] = 8,
    p95_ms: Annotated[float, typer.Option(help="Highest p95 latency, milliseconds")] = 500,
    api_key: Annotated[str | None, typer.Option(envvar="VERIFY_API_KEY", help="X-API-Key to send")] = None,
) -> None:
    """Check a live address: the whole contract, the version, and a bounded load."""
    headers = {"x-api-key": api_key} if api_key else {}
    with _machine(context) as machine:
        address = (url or machine.settings.url).rstrip("/")
        with httpx.Client(base_url=address, headers=headers, timeout=15) as client:
            checks = verify_contract(client, version)
        if requests:
            limits = Thresholds(requests, seconds, clients, p95_ms / 1000)
            more, summary = asyncio.run(verify_load(address, headers, limits))
            checks += more
            machine.progress.say(summary)
        for check in checks:
            mark = "[red]✗[/]" if check.fault else "[green]✓[/]"
            _output.print(f"{mark} {check.name}" + (f": {escape(check.fault)}" if check.fault else ""))
        faults = [check.name for check in checks if check.fault]
        if faults:
            raise VerifyFailed(f"{len(faults)} of {len(checks)} checks failed at {address}: {'; '.join(faults)}")


@app.command()
def unlock(context: typer.Context) -> None:
    """Remove the lock, whoever holds it. A dead owner's lock needs no unlocking."""
    with _machine(context) as machine:
        owner = machine.lock("unlock").break_()
        machine.audit.write("unlock", "done", owner=str(owner) if owner else None)
        _console.print(f"removed the lock of {owner}" if owner else "there was no lock")


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def fleet(context: typer.Context) -> None:
    """Name what has taken its place."""
    with _machine(context):
        raise UsageError(
            "`fleet` is gone: run `python -m deploy` on each host (deploy/pipeline/ship.sh does, by ssh), or use a "
            "cluster (docs/kubernetes.md)"
        )


def _weights(text: str) -> tuple[int, ...]:
    try:
        weights = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--steps {text!r} are not whole percents: write 10,25,50,100") from None
    if not weights or list(weights) != sorted(set(weights)) or weights[0] < 1 or weights[-1] > 100:  # noqa: PLR2004
        raise UsageError(f"--steps {text!r} must grow, from 1 to at most 100: write 10,25,50,100")
    return weights


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not found:
        raise UsageError(f"--interval {text!r} is not a time: write 30s, 5m or 1h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


def main(composer: Composer | None = None) -> None:
    """Run the command line with the real parts, or with those of `composer`."""
    app(obj=composer or Composer())

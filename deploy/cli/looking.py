"""Commands that look, and those about this host: the supervisor, its unit of systemd, the lock; and what has gone."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer
from rich.markup import escape

from deploy.checks.verify import verify_contract, verify_load
from deploy.cli.shell import AsJson, OptionalVersion, SlotName, app, console, opened, output, told
from deploy.errors import UsageError, VerifyFailed
from deploy.files import ROOT, template_of
from deploy.flow import operations
from deploy.settings import DeploySettings
from deploy.watch.status import condition, history_table, status_data, status_table
from deploy.watch.supervisor import Supervisor

_UNIT = Path("/etc/systemd/system/pikkit.service")
_Planned = Literal["deploy", "canary", "promote", "rollback", "abort"]


@app.command(epilog="Example: python -m deploy judge")
def judge(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare the canary with production, as a ramp would; change nothing."""
    with opened(context) as stack:
        weight, verdict = stack.route().weight, stack.window.verdict()
        if as_json:
            told({"weight": weight, **dataclasses.asdict(verdict)})
        else:
            stack.progress.verdict(verdict, weight)


@app.command(epilog="Example: python -m deploy plan deploy --version 1.2.0")
def plan(
    context: typer.Context,
    command: Annotated[_Planned, typer.Argument(help="What would be done")],
    version: OptionalVersion = None,
    as_json: AsJson = False,
) -> None:
    """Show what a command would do. Changes nothing."""
    with opened(context) as stack:
        if command == "deploy" and not version:
            raise UsageError("deploy needs a --version")
        if version and command in ("promote", "abort"):
            raise UsageError(f"{command} takes no --version: it is the canary's, whichever runs")
        named = [version] if command in ("deploy", "canary", "rollback") else []
        planned = getattr(operations, command)(stack, *named)
    if as_json:
        told({"about": planned.about, "phases": [{"name": one.name, "title": one.title} for one in planned.phases]})
    else:
        for line in planned.lines():
            output.print(line, markup=False)


@app.command(epilog="Example: python -m deploy status --json")
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what runs. Everything is looked at now; the exit code says how it is (see --help of `deploy`)."""
    with opened(context) as stack:
        data = status_data(stack)
    if as_json:
        told(data)
    else:
        output.print(status_table(data), markup=False)
        for name in ("rollback_to", "ramp", "rejected", "interrupted", "at_work"):
            if data[name]:
                output.print(f"{name.replace('_', ' ')}: {data[name]}", markup=False)
        output.print(f"supervisor: {'pid ' + str(data['supervisor']) if data['supervisor'] else 'not running'}")
        for fault in data["faults"]:
            output.print(f"! {fault}", markup=False)
    raise typer.Exit(condition(data))


@app.command(epilog="Example: python -m deploy history --last 5 --json")
def history(
    context: typer.Context,
    last: Annotated[int, typer.Option("--last", "-n", help="Entries", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines")] = False,
) -> None:
    """Show who did what, when, and how it went."""
    with opened(context) as stack:
        entries = stack.journal.entries(last)
    if as_json:
        sys.stdout.writelines(json.dumps(entry) + "\n" for entry in entries)
    else:
        output.print(history_table(entries), markup=False)


@app.command(epilog="Example: python -m deploy logs blue --follow")
def logs(
    context: typer.Context,
    slot: SlotName = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="So many", min=1)] = 50,
) -> None:
    """Show the last lines of a slot, by default of the one in production."""
    with opened(context) as stack:
        name = slot or stack.route().production
        sys.stdout.writelines(line + "\n" for line in stack.runtime.log_lines(name, lines))
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                for line in stack.runtime.follow(name):
                    sys.stdout.write(line + "\n")
                    sys.stdout.flush()


@app.command(epilog="Example: python -m deploy verify --url https://api.example.com --json")
def verify(
    context: typer.Context,
    url: Annotated[str | None, typer.Option("--url", help="Live address; default: the proxy")] = None,
    version: OptionalVersion = None,
    requests: Annotated[int, typer.Option(help="Requests of the load test; 0 for none", min=0, max=100_000)] = 500,
    seconds: Annotated[float, typer.Option(help="Longest load test", min=1, max=600)] = 20,
    clients: Annotated[int, typer.Option(help="Clients at a time", min=1, max=64)] = 8,
    p95_ms: Annotated[float, typer.Option(envvar="VERIFY_P95_MS", help="Highest p95 latency, milliseconds")] = 500,
    api_key: Annotated[
        str | None, typer.Option(envvar="VERIFY_API_KEY", help="X-API-Key to send; default: the first of API_KEYS")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a live address: the whole contract, the version, and a bounded load."""
    with opened(context) as stack:
        address = (url or stack.settings.url).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"{address} is no address: give http://HOST[:PORT] or https://…")
        key = api_key or context.obj.api_key()
        headers = {"x-api-key": key} if key else {}
        client = httpx.Client(base_url=address, headers=headers, timeout=15)
        with console.status(f"checking {address}"), client:
            checks = verify_contract(client, version)
            if requests:
                more, summary = verify_load(
                    client, requests=requests, seconds=seconds, clients=clients, p95_s=p95_ms / 1000
                )
                checks += more
                stack.progress.say(summary)
        faults = [check.name for check in checks if check.fault]
        if as_json:
            told({"url": address, "checks": [dataclasses.asdict(check) for check in checks]})
        else:
            for check in checks:
                mark = "[red]✗[/]" if check.fault else "[green]✓[/]"
                output.print(f"{mark} {check.name}" + (f": {escape(check.fault)}" if check.fault else ""))
        if faults:
            raise VerifyFailed(f"{len(faults)} of {len(checks)} checks failed at {address}: {'; '.join(faults)}")


@app.command(hidden=True)
def supervise(context: typer.Context) -> None:
    """Supervise in the foreground."""
    with opened(context) as stack:
        Supervisor(stack).run()


@app.command("install-unit", epilog="Example: python -m deploy install-unit --user pikkit")
def install_unit(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help=f"Write {_UNIT}; else it is printed")] = False,
    user: Annotated[str, typer.Option(help="User that the service runs as")] = getpass.getuser(),
) -> None:
    """Print (or install) the systemd unit that brings everything up at boot and supervises it."""
    with opened(context) as stack:
        text = render_unit(ROOT, stack.settings, user=user, python=sys.executable)
        if not write:
            sys.stdout.write(text)
            return
        if os.geteuid():
            raise UsageError(f"{_UNIT} is root's: run this by sudo, or print the unit and install it yourself")
        _UNIT.write_text(text, encoding="utf-8")
        console.print(f"{_UNIT} is written: systemctl daemon-reload && systemctl enable --now pikkit")


def render_unit(root: Path, settings: DeploySettings, *, user: str, python: str) -> str:
    """The unit of systemd for the checkout at `root`, run by `python` as `user`."""
    docker = settings.runtime == "docker"
    template = template_of(ROOT / "deploy/systemd/pikkit.service.j2")
    return template.render(root=root, run_dir=settings.run_dir, user=user, python=python, docker=docker)


@app.command(epilog="Example: python -m deploy unlock")
def unlock(context: typer.Context) -> None:
    """Remove the lock, whoever holds it. A dead owner's lock needs no unlocking."""
    with opened(context) as stack:
        owner = stack.lock("unlock").break_()
        stack.journal.write("unlock", "done", owner=str(owner) if owner else None)
        console.print(f"removed the lock of {owner}" if owner else "there was no lock")


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def fleet(context: typer.Context) -> None:
    """Name what has taken its place."""
    with opened(context):
        raise UsageError(
            "`fleet` is gone: run `python -m deploy` on each host (deploy/pipeline/ship.sh does, by ssh), or use a "
            "cluster (docs/kubernetes.md)"
        )

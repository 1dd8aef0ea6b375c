"""Commands that look and change nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from typing import Annotated

import httpx
import typer
from rich.markup import escape

from deploy.checks.verify import Thresholds, verify_contract, verify_load
from deploy.cli.shell import AsJson, OptionalVersion, SlotName, app, console, opened, output, told
from deploy.errors import VerifyFailed
from deploy.watch.status import condition, history_table, status_data, status_table


@app.command(epilog="Example: python -m deploy judge")
def judge(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare the canary with production, as a ramp would; change nothing."""
    with opened(context) as stack:
        weight, verdict = stack.route().weight, stack.window.verdict()
        if as_json:
            told({"weight": weight, **dataclasses.asdict(verdict)})
        else:
            stack.progress.verdict(verdict, weight)


@app.command(epilog="Example: python -m deploy status --json")
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what runs. Everything is looked at now; the exit code says how it is (see --help of `deploy`)."""
    with opened(context) as stack:
        data = status_data(stack)
    if as_json:
        told(data)
    else:
        output.print(status_table(data))
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
        output.print(history_table(entries))


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
    p95_ms: Annotated[float, typer.Option(help="Highest p95 latency, milliseconds")] = 500,
    api_key: Annotated[
        str | None, typer.Option(envvar="VERIFY_API_KEY", help="X-API-Key to send; default: the first of API_KEYS")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a live address: the whole contract, the version, and a bounded load."""
    with opened(context) as stack:
        address = (url or stack.settings.url).rstrip("/")
        key = api_key or context.obj.api_key()
        headers = {"x-api-key": key} if key else {}
        with console.status(f"checking {address}"):
            with httpx.Client(base_url=address, headers=headers, timeout=15) as client:
                checks = verify_contract(client, version)
            if requests:
                limits = Thresholds(requests, seconds, clients, p95_ms / 1000)
                more, summary = asyncio.run(verify_load(address, headers, limits))
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

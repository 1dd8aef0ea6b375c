"""Look at the outbox of alerts, mend it, try the receivers, set up n8n.

Exit codes: 0 done; 1 refused or failed, and the message says why; 2 an option is wrong. Each command's --help has an
example.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pikkit.alerts.building import build_ledger, build_receiver, halves, style_of
from pikkit.alerts.clock import SystemClock
from pikkit.alerts.identity import alert_id_of
from pikkit.alerts.message import Alert, digest_line, message, payload_of
from pikkit.alerts.n8n_setup import SetupError, fill_workflow, push_workflow
from pikkit.alerts.outbox import FILE, Job, Outbox, Purgeable, State, Unreadable
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.bets.times import utc_text
from pikkit.files import why
from pikkit.settings import Settings, WrongSetting

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
console = Console(markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs")]
Identifier = Annotated[str, typer.Argument(help="Beginning of an alert's id", metavar="ALERT")]


@app.command("list", epilog="Example: python -m pikkit.alerts list --state parked")
def list_command(
    state: Annotated[State | None, typer.Option(help="Only these")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest so many")] = 50,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first."""
    with _outbox() as outbox:
        jobs, figures = list(outbox.listed(state, limit)), outbox.figures()
    if as_json:
        _tell({"alerts": list(map(_facts, jobs)), **asdict(figures)})
        return
    table = Table()
    for name in ("alert", "raised", "bet", "channel", "state", "attempts", "reason"):
        table.add_column(name, no_wrap=name in ("alert", "raised"))
    for job in jobs:
        raised = f"{datetime.fromtimestamp(job.at, UTC):%Y-%m-%d %H:%M:%SZ}"
        table.add_row(
            job.alert_id[:12], raised, _told(job), job.channel, job.state, str(job.attempts), job.reason or ""
        )
    console.print(table)
    console.print(f"{figures.depth} waiting (oldest {figures.oldest_age_s:.0f} s), {figures.parked} parked")


@app.command(epilog="Example: python -m pikkit.alerts show 3f2a9c")
def show(alert: Identifier, as_json: AsJson = False) -> None:
    """Show an alert and what became of it."""
    with _outbox() as outbox:
        jobs = outbox.of(alert)
    if not jobs:
        sys.exit(f"no alert begins with {alert!r}: see `python -m pikkit.alerts list`")
    if as_json:
        _tell([{**_facts(job), "payload": job.written} for job in jobs])
        return
    for job in jobs:
        console.print(job.written, markup=False, emoji=False, soft_wrap=True)
        reason = f": {job.reason}" if job.reason else ""
        console.print(f"{job.alert_id}: {job.state} after {job.attempts} attempts{reason}", markup=False, emoji=False)


@app.command(epilog="Example: python -m pikkit.alerts retry 3f2a9c")
def retry(
    alert: Annotated[str, typer.Argument(help="Beginning of an alert's id; default: all", metavar="ALERT")] = "",
) -> None:
    """Let parked alerts wait for delivery again."""
    with _outbox() as outbox:
        found = outbox.retry_parked(alert)
    if alert and not found:
        sys.exit(f"no parked alert begins with {alert!r}: see `python -m pikkit.alerts list --state parked`")
    console.print(f"{found} alerts wait again")


@app.command(epilog="Example: python -m pikkit.alerts purge parked")
def purge(
    state: Annotated[Purgeable, typer.Argument(help="Which")] = "delivered",
) -> None:
    """Forget alerts that are done or parked; their bets stay known, so none of them is raised again."""
    with _outbox() as outbox:
        console.print(f"{outbox.purge(state)} alerts forgotten")


@app.command("test", epilog="Example: python -m pikkit.alerts test")
def send_test(as_json: AsJson = False) -> None:
    """Send a test alert to every receiver that is set, now."""
    settings = Settings.load()
    receiver, ledger = build_receiver(settings), build_ledger(settings)
    left_out = "; ".join(halves(settings))
    if not receiver and not ledger:
        told = left_out or "no receiver is set"
        sys.exit(f"{told}: set N8N_WEBHOOK_URL, or TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, or SUPABASE_…")
    if left_out:
        sys.stderr.write(f"left out: {left_out}\n")
    alert = _example(settings)
    reasons: dict[str, str | None] = {}
    for channel, send, close in [
        *([(receiver.channel, receiver.send, receiver.close)] if receiver else []),
        *([(ledger.channel, ledger.finished, ledger.close)] if ledger else []),
    ]:
        try:
            with console.status(f"asking {channel}"):
                send(alert)
            reasons[channel] = None
        except (Later, Refused) as error:
            reasons[channel] = error.reason
        finally:
            close()
        if not as_json:
            reason = reasons[channel]
            console.print(f"{channel}: taken" if reason is None else f"{channel}: not taken ({reason})")
    if as_json:
        _tell({channel: {"taken": reason is None, "reason": reason} for channel, reason in reasons.items()})
    if any(reasons.values()):
        raise typer.Exit(1)


@app.command("setup-n8n", epilog="Example: python -m pikkit.alerts setup-n8n --out workflow.json")
def setup_n8n(
    out: Annotated[
        Path | None, typer.Option(help="Write the workflow there instead of sending it", metavar="FILE")
    ] = None,
) -> None:
    """Fill the n8n workflow with your values: into a file, or created and activated in n8n itself."""
    settings = Settings.load()
    try:
        workflow = fill_workflow(settings)
        if out:
            out.write_text(json.dumps(workflow, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            console.print(f"{out} can be imported into n8n")
            return
        with console.status("sending the workflow to n8n"):
            said = push_workflow(settings, workflow)
        console.print(said)
    except SetupError as error:
        sys.exit(str(error))


@contextmanager
def _outbox() -> Iterator[Outbox]:
    """The outbox of the settings; what stands in the way is said in a sentence."""
    outbox = Outbox(Settings.load().data_dir, SystemClock())
    try:
        yield outbox
    except (sqlite3.Error, OSError) as error:
        sys.exit(f"{outbox.folder / FILE} can't be used ({why(error)}): check DATA_DIR")
    finally:
        outbox.close()


def _tell(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _facts(job: Job) -> dict[str, object]:
    names = ("alert_id", "channel", "state", "attempts", "reason")
    return {**{name: getattr(job, name) for name in names}, "raised": utc_text(job.at), "bet": _told(job)}


def _told(job: Job) -> str:
    try:
        payload = job.alert.payload
        return f"{payload['left_out']} more" if payload["type"] == "digest" else digest_line(payload)
    except (Unreadable, LookupError, ValueError, TypeError):
        return "(can't be read)"


def _example(settings: Settings) -> Alert:
    now = time.time()
    bet = {
        "sport": "Basketball",
        "league": "NBA",
        "market": "Test of the alerts",
        "institution_name": "DraftKings",
        "odds": -110,
        "event": "Test @ Alerts",
        "selection": "Test",
    }
    prediction = {
        "win_probability": 0.56,
        "expected_roi": 6.9,
        "kelly_fraction": 0.076,
        "recommended_stake_pct": 1.9,
        "confidence": 0.8,
        "bet_grade": "A",
        "profitable": True,
        "implied_probability": 0.52381,
        "edge": 0.03619,
        "sample_size": 200,
        "warnings": ["this is a test: there is no such bet"],
    }
    about = {
        "environment": settings.environment,
        "deployment": settings.deployment,
        "model_version": "test",
        "seen_at": utc_text(now),
        "identity": "test",
        "step": 0,
    }
    payload = payload_of(bet, prediction, about, at=now)
    identifier = alert_id_of("test", 0, int(now * 1000))
    words = message(payload, now, style_of(settings))
    return Alert(identifier, {**payload, "alert_id": identifier, "message": words})


if __name__ == "__main__":
    try:
        app()
    except WrongSetting as error:
        sys.exit(f"settings: {error}")

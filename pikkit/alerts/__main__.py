"""`python -m pikkit.alerts`: look at the outbox, mend it, try the receivers, set up n8n."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pikkit.alerts.message import make_alert
from pikkit.alerts.n8n_setup import SetupError, fill_workflow, push_workflow
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.alerts.sink import build_receivers
from pikkit.bets.bet import Bet
from pikkit.bets.prediction import Prediction
from pikkit.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
console = Console()

Identifier = Annotated[str, typer.Argument(help="Beginning of an alert's id", metavar="ALERT")]


@app.command("list")
def list_command(
    state: Annotated[str | None, typer.Option(help="waiting, delivered or parked")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest so many")] = 50,
) -> None:
    """List deliveries, newest first."""
    table = Table()
    for name in ("alert", "raised", "grade", "bet", "channel", "state", "attempts", "reason"):
        table.add_column(name, no_wrap=name in ("alert", "raised"))
    outbox = _outbox()
    for delivery in outbox.listed(state, limit):
        bet = delivery.alert.payload["bet"]
        table.add_row(
            delivery.alert.alert_id[:12],
            datetime.fromtimestamp(delivery.alert.created_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            delivery.alert.grade,
            f"{bet['league'][:30]}, {bet['market'][:30]}, {bet['odds']:+g}",
            delivery.channel,
            delivery.state,
            str(delivery.attempts),
            delivery.reason or "",
        )
    console.print(table)
    figures = outbox.figures(time.time())
    console.print(f"{figures.depth} waiting (oldest {figures.oldest_age_s:.0f} s), {figures.parked} parked")


@app.command()
def show(alert: Identifier) -> None:
    """Show an alert and what became of it."""
    deliveries = _outbox().of(alert)
    if not deliveries:
        sys.exit(f"no alert begins with {alert!r}: see `python -m pikkit.alerts list`")
    console.print_json(json.dumps(deliveries[0].alert.payload))
    for delivery in deliveries:
        reason = f": {delivery.reason}" if delivery.reason else ""
        console.print(f"{delivery.channel}: {delivery.state} after {delivery.attempts} attempts{reason}")


@app.command()
def retry(
    alert: Annotated[str, typer.Argument(help="Beginning of an alert's id; default: all", metavar="ALERT")] = "",
) -> None:
    """Let parked alerts wait for delivery again."""
    console.print(f"{_outbox().retry_parked(time.time(), alert)} deliveries wait again")


@app.command()
def purge(
    state: Annotated[str, typer.Argument(help="delivered or parked")] = "delivered",
) -> None:
    """Forget alerts that are delivered or parked on all channels."""
    if state not in ("delivered", "parked"):
        sys.exit(f"{state!r} can't be purged: name delivered or parked")
    console.print(f"{_outbox().purge(state)} alerts forgotten")


@app.command()
def test() -> None:
    """Send a test alert to every receiver that is set, now."""
    settings = Settings.load()
    receivers = build_receivers(settings)
    if not receivers:
        sys.exit("no receiver is set: set N8N_WEBHOOK_URL, or TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, or SUPABASE_…")
    bet, prediction = _example()
    alert = make_alert(
        bet,
        prediction,
        model_version="test",
        environment=settings.environment,
        deployment=settings.deployment,
        now=time.time(),
    )
    failed = False
    for receiver in receivers:
        try:
            receiver.send(alert)
        except (Later, Refused) as error:
            failed = True
            console.print(f"{receiver.channel}: not taken ({error.reason})")
        else:
            console.print(f"{receiver.channel}: taken")
        finally:
            receiver.close()
    if failed:
        raise typer.Exit(1)


@app.command("setup-n8n")
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
        console.print(push_workflow(settings, workflow))
    except SetupError as error:
        sys.exit(str(error))


def _outbox() -> Outbox:
    return Outbox(Settings.load().data_dir)


def _example() -> tuple[Bet, Prediction]:
    bet = Bet(sport="Basketball", league="NBA", market="Test of the alerts", institution_name="DraftKings", odds=-110)
    prediction: Prediction = {
        "win_probability": 0.56,
        "expected_roi": 6.9,
        "kelly_fraction": 0.076,
        "recommended_stake_pct": 1.9,
        "confidence": 0.8,
        "bet_grade": "A",
        "profitable": True,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "model_version": "test",
        "implied_probability": 0.52381,
        "edge": 0.03619,
        "sample_size": 200,
        "warnings": ["this is a test: there is no such bet"],
        "ttl_s": 0,
    }
    return bet, prediction


if __name__ == "__main__":
    try:
        app()
    except ValidationError as error:
        sys.exit(f"settings: {error}")

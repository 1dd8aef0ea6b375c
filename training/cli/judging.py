"""Commands that judge model sets, and what was served."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pikkit.errors import ModelError
from pikkit.exports.command_line import DateFormat, Map, OddsFormat, Rejected, asked_for
from pikkit.models.importing import checked
from pikkit.models.rules import predictor_of, rules_of
from pikkit.settings import Settings
from pikkit.telemetry.prediction_log import read_predictions
from training.cli.shell import (
    AsJson,
    Bets,
    FromSupabase,
    Models,
    Report,
    app,
    console,
    loaded_from,
    read,
    writable,
    write_page,
)
from training.judging.evaluate import gates, judge, newest
from training.judging.live import join
from training.judging.prices import moneyline_reports, soccer_reports
from training.reports.page import html_report, live_report
from training.reports.summary import markdown_summary
from training.reports.tables import show_live, show_prices, show_verdict
from training.reports.told import live_told, prices_told, tell, verdict_told
from training.settled import starter as starter_bets


@app.command("validate", epilog="Example: python -m training validate --models models --bets bets.csv")
def validate_command(
    models: Annotated[Path, typer.Option("--models", help="Folder with a model set", metavar="DIR")],
    bets: Bets = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="The set in production, to compare with", metavar="DIR")
    ] = None,
    supabase: FromSupabase = False,
    simulated: Annotated[bool, typer.Option("--simulated", help="Judge starter models by a simulated market")] = False,
    share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Newest share of the bets to judge by, if the set does not tell")
    ] = 0.2,
    report: Report = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help="Append the verdict to it as Markdown", metavar="FILE", callback=writable),
    ] = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model set on settled bets; exits with 1 if a gate fails."""
    if simulated and (bets or supabase):
        raise ModelError("--simulated and --bets or --supabase exclude each other: give one")
    asked = asked_for(mapped, odds_format, date_format)
    rules = rules_of(Settings.load())
    with loaded_from(models) as candidate:
        if simulated:
            settled = starter_bets.unseen_market(candidate)
        else:
            settled = read(bets, asked, supabase=supabase, rejected=rejected, written=[report, summary])
        with console.status("judging"):
            judged_bets, past, which = newest(candidate, settled, share)
            which += " (simulated)" if simulated else ""
            judged = judge(candidate, judged_bets, past, rules)
            production = None
            if against:
                with checked(against) as other:
                    production = judge(other, judged_bets, past, rules)
            verdict = gates(judged, production)
        show_verdict(console, candidate, judged, verdict, which, production)
        write_page(report, lambda: html_report(candidate, judged, verdict, which=which, production=production))
        if as_json:
            tell(verdict_told(candidate, judged, verdict, which, production))
        if summary:
            with summary.open("a", encoding="utf-8") as file:
                file.write(markdown_summary(candidate, judged, verdict, which=which, production=production))
    if not verdict.passed:
        raise typer.Exit(1)


@app.command("validate-prices", epilog="Example: python -m training validate-prices --soccer soccer.csv")
def validate_prices_command(
    soccer: Annotated[
        Path | None, typer.Option(help="Three-way prices of matches: bet365_home …, pinnacle_home …", metavar="FILE")
    ] = None,
    moneylines: Annotated[
        Path | None, typer.Option(help="Prices of both sides of games: open_home, close_home …", metavar="FILE")
    ] = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Judge market evidence on real prices; exits with 1 where the raw price is better or grades are inverted."""
    if soccer is None and moneylines is None:
        raise ModelError("no prices: name a file by --soccer or --moneylines")
    settings = Settings.load()
    predictor, now = predictor_of(settings), time.time()
    with loaded_from(models) as loaded, console.status("grading the prices"):
        reports = list(soccer_reports(soccer, loaded, predictor, now=now)) if soccer else []
        reports += moneyline_reports(moneylines, loaded, predictor, now=now) if moneylines else []
    faults = [list(show_prices(console, report)) for report in reports]
    if as_json:
        tell([prices_told(*pair) for pair in zip(reports, faults, strict=True)])
    failed = [fault for some in faults for fault in some]
    if failed:
        console.print(*failed, sep="\n")
        raise typer.Exit(1)


@app.command("live-report", epilog="Example: python -m training live-report --bets settled.csv --report live.html")
def live_command(
    bets: Bets = None,
    supabase: FromSupabase = False,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Default: DATA_DIR/predictions", metavar="DIR")
    ] = None,
    within: Annotated[
        float, typer.Option(min=0.01, help="Hours that a prediction may be older than the bet's time")
    ] = 48,
    since: Annotated[
        datetime | None, typer.Option(help="Leave earlier predictions out (UTC)", formats=["%Y-%m-%d"])
    ] = None,
    model_version: Annotated[str | None, typer.Option(help="Only predictions of this model version")] = None,
    report: Report = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Judge what was served: the prediction log against the bets' results."""
    folder = predictions or Settings.load().data_dir / "predictions"
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: serve with PREDICTION_LOG=true, or name it by --predictions DIR")
    asked = asked_for(mapped, odds_format, date_format, placed=True)
    settled = read(bets, asked, supabase=supabase, rejected=rejected, written=[report])
    with console.status(f"reading the predictions in {folder}"):
        live = join(
            settled,
            read_predictions(folder),
            within_s=within * 3600,
            since=since.replace(tzinfo=UTC) if since else None,
            version=model_version,
        )
    found = show_live(console, live)
    write_page(report, lambda: live_report(live))
    if as_json:
        tell(live_told(live, found))

"""Commands that make model sets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pikkit.exports.command_line import DateFormat, Map, OddsFormat, Rejected, asked_for
from pikkit.grading.decision import Rules
from pikkit.history.history import SettledBets
from pikkit.models.rules import rules_of
from pikkit.settings import Settings
from training.cli.shell import (
    AsJson,
    Bets,
    FromSupabase,
    Report,
    app,
    console,
    loaded_from,
    progress_bar,
    read,
    write_page,
)
from training.fitting.publish import promote, write_version
from training.fitting.train import STEPS, train
from training.judging.evaluate import gates, judge, newest
from training.reports.page import html_report
from training.reports.tables import show_verdict
from training.reports.told import tell, verdict_told
from training.settled import starter as starter_bets


@app.command("train", epilog="Example: python -m training train --out models --bets bets.csv")
def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model files", metavar="DIR")],
    bets: Bets = None,
    supabase: FromSupabase = False,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Makes the run repeatable")] = 0,
    report: Report = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Train a model set; the *_latest files are written only if it passes validation."""
    rules = rules_of(Settings.load())
    out.mkdir(parents=True, exist_ok=True)  # what can't be written is told before it is waited for
    settled = read(
        bets, asked_for(mapped, odds_format, date_format), supabase=supabase, rejected=rejected, written=[report]
    )
    version = _train_and_judge(settled, out, seed=seed, rules=rules, report=report, as_json=as_json)
    console.print(f"{version} is the latest set in {out}")


@app.command("starter", epilog="Example: python -m training starter --out models")
def starter_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model files", metavar="DIR")] = Path("models"),
) -> None:
    """Make the starter models: trained by this pipeline on simulated bets, and labelled so."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        _train_and_judge(starter_bets.market(), Path(work), seed=starter_bets.SEED, rules=Rules(), starter=True)
        paths = {path.name: path for path in Path(work).glob("*_latest.*")}
        promote(paths, out)
    console.print(f"the starter models are in {out}")


def _train_and_judge(
    settled: SettledBets,
    out: Path,
    *,
    seed: int,
    rules: Rules,
    report: Path | None = None,
    starter: bool = False,
    as_json: bool = False,
) -> str:
    with progress_bar("training", STEPS) as advance:
        now = starter_bets.TIME if starter else None
        trained = train(settled, seed=seed, now=now, starter=starter, rules=rules, progress=lambda: advance(1))
    if not trained.metadata["rounds"]:
        console.print("no edge over the price that lasts: the set says what the odds say, recalibrated")
    paths = write_version(trained, out)
    with tempfile.TemporaryDirectory() as work:
        promote(paths, Path(work))
        with loaded_from(Path(work)) as models:
            with console.status("judging"):
                judged_bets, past, which = newest(models, settled, 0.2)
                judged = judge(models, judged_bets, past, rules)
                verdict = gates(judged)
            show_verdict(console, models, judged, verdict, which)
            write_page(report, lambda: html_report(models, judged, verdict, which=which))
            if as_json:
                tell(verdict_told(models, judged, verdict, which))
    if not verdict.passed:
        console.print(f"validation failed: the *_latest files in {out} are as they were")
        raise typer.Exit(1)
    promote(paths, out)
    return str(trained.metadata["timestamp"])

"""The command that grades a file of bets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pikkit.bets.bet import OddsLimits
from pikkit.exports.command_line import DateFormat, Map, OddsFormat, asked_for
from pikkit.models.rules import predictor_of
from pikkit.settings import Settings
from training.cli.shell import AsJson, Models, app, console, loaded_from, progress_bar, writable
from training.reports.told import tell
from training.score import ScoredFile


@app.command("score", epilog="Example: python -m training score bets.csv --out graded.csv")
def score_command(
    source: Annotated[Path, typer.Argument(help="Bets, CSV or Parquet", metavar="FILE")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: FILE with .graded", metavar="FILE", callback=writable)
    ] = None,
    models: Models = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    as_json: AsJson = False,
) -> None:
    """Grade a whole file of bets; the answers are added as columns."""
    settings = Settings.load()
    target = out or source.with_name(f"{source.name.split('.')[0]}.graded{_kind(source)}")
    with console.status(f"reading {source}"):
        file = ScoredFile(source, asked_for(mapped, odds_format, date_format, placed=True))
    for line in file.evidence:
        console.print(line, soft_wrap=True)
    limits = OddsLimits(settings.min_odds, settings.max_odds)
    with loaded_from(models) as loaded, progress_bar("scoring", file.rows) as advance:
        graded, failed = file.score(
            target, loaded, predictor_of(settings), now=time.time(), limits=limits, progress=advance
        )
    console.print(f"{graded:,} bets graded, {failed:,} with an error, in {target}")
    if as_json:
        tell({"graded": graded, "failed": failed, "out": str(target)})


def _kind(path: Path) -> str:
    return ".parquet" if path.suffix == ".parquet" else ".csv"

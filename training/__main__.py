"""Train, validate and publish model sets; grade files of bets; judge what was served.

Exit codes: 0 done; 1 a gate failed, or the message says why not; 2 an option is wrong. Each command's --help has an
example.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pikkit.errors import ModelError
from pikkit.exports.command_line import DateFormat, Map, OddsFormat, Rejected, asked_for
from pikkit.exports.layout import Asked
from pikkit.exports.settled import ReadReport, read_settled
from pikkit.history.history import SettledBets
from pikkit.models.importing import checked
from pikkit.models.model_set import ModelSet
from pikkit.models.rules import predictor_of
from pikkit.settings import Settings
from pikkit.telemetry.prediction_log import read_predictions
from training.fitting.publish import promote, write_version
from training.fitting.train import STEPS, train
from training.judging.evaluate import gates, judge, newest
from training.judging.live import join
from training.judging.prices import moneyline_reports, soccer_reports
from training.reports.page import html_report, live_report
from training.reports.summary import markdown_summary
from training.reports.tables import show_live, show_prices, show_verdict
from training.reports.told import live_told, prices_told, tell, verdict_told
from training.score import ScoredFile
from training.settled import starter as starter_bets
from training.settled.imports import imports_of

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
console = Console()

Bets = Annotated[Path | None, typer.Option("--bets", help="Settled bets, CSV or Parquet", metavar="FILE")]
Report = Annotated[Path | None, typer.Option("--report", help="Write an HTML report there", metavar="FILE")]


def _aside(as_json: bool) -> bool:
    """What is said to people goes to standard error where a program reads the answer."""
    console.stderr = as_json
    return as_json


AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs", callback=_aside)]


@app.command("train", epilog="Example: python -m training train --out models --bets bets.csv")
def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model files", metavar="DIR")],
    bets: Bets = None,
    supabase: Annotated[bool, typer.Option("--supabase", help="Read the table `bets` of SUPABASE_URL")] = False,
    seed: Annotated[int, typer.Option(help="Makes the run repeatable")] = 0,
    report: Report = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Train a model set; the *_latest files are written only if it passes validation."""
    settled = _read(bets, asked_for(mapped, odds_format, date_format), supabase=supabase, rejected=rejected)
    version = _train_and_judge(settled, out, seed=seed, report=report, as_json=as_json)
    console.print(f"{version} is the latest set in {out}")


@app.command("validate", epilog="Example: python -m training validate --models models --bets bets.csv")
def validate_command(
    models: Annotated[Path, typer.Option("--models", help="Folder with a model set", metavar="DIR")],
    bets: Bets = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="The set in production, to compare with", metavar="DIR")
    ] = None,
    supabase: Annotated[bool, typer.Option("--supabase", help="Read the table `bets` of SUPABASE_URL")] = False,
    simulated: Annotated[bool, typer.Option("--simulated", help="Judge starter models by a simulated market")] = False,
    share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Newest share of the bets to judge by, if the set does not tell")
    ] = 0.2,
    report: Report = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Append the verdict to it as Markdown", metavar="FILE")
    ] = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model set on settled bets; exits with 1 if a gate fails."""
    asked = asked_for(mapped, odds_format, date_format)
    with _checked(models) as candidate:
        if simulated:
            settled = starter_bets.unseen_market(candidate)
        else:
            settled = _read(bets, asked, supabase=supabase, rejected=rejected)
        with console.status("judging"):
            judged_bets, past, which = newest(candidate, settled, share)
            which += " (simulated)" if simulated else ""
            judged = judge(candidate, judged_bets, past)
            production = None
            if against:
                with checked(against) as other:
                    production = judge(other, judged_bets, past)
            verdict = gates(judged, production)
        show_verdict(console, candidate, judged, verdict, which, production)
        _write(report, lambda: html_report(candidate, judged, verdict, which=which, production=production))
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
    models: Annotated[Path | None, typer.Option("--models", help="Default: MODEL_DIR", metavar="DIR")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge market evidence on real prices; exits with 1 where the raw price is better or grades are inverted."""
    if soccer is None and moneylines is None:
        raise ModelError("no prices: name a file by --soccer or --moneylines")
    settings = Settings.load()
    predictor, now = predictor_of(settings), time.time()
    with _checked(models or settings.model_dir) as loaded, console.status("grading the prices"):
        reports = list(soccer_reports(soccer, loaded, predictor, now=now)) if soccer else []
        reports += moneyline_reports(moneylines, loaded, predictor, now=now) if moneylines else []
    faults = [list(show_prices(console, report)) for report in reports]
    if as_json:
        tell([prices_told(*pair) for pair in zip(reports, faults, strict=True)])
    failed = [fault for some in faults for fault in some]
    if failed:
        console.print(*failed, sep="\n")
        raise typer.Exit(1)


@app.command("score", epilog="Example: python -m training score bets.csv --out graded.csv")
def score_command(
    source: Annotated[Path, typer.Argument(help="Bets, CSV or Parquet", metavar="FILE")],
    out: Annotated[Path | None, typer.Option("--out", help="Default: FILE with .graded", metavar="FILE")] = None,
    models: Annotated[Path | None, typer.Option("--models", help="Default: MODEL_DIR", metavar="DIR")] = None,
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
    with _checked(models or settings.model_dir) as loaded, _bar("scoring", file.rows) as advance:
        graded, failed = file.score(target, loaded, predictor_of(settings), now=time.time(), progress=advance)
    console.print(f"{graded:,} bets graded, {failed:,} with an error, in {target}")
    if as_json:
        tell({"graded": graded, "failed": failed, "out": str(target)})


@app.command("live-report", epilog="Example: python -m training live-report --bets settled.csv --report live.html")
def live_command(
    bets: Bets = None,
    supabase: Annotated[bool, typer.Option("--supabase", help="Read the table `bets` of SUPABASE_URL")] = False,
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
    settled = _read(bets, asked, supabase=supabase, rejected=rejected)
    with console.status(f"reading the predictions in {folder}"):
        live = join(
            settled,
            read_predictions(folder),
            within_s=within * 3600,
            since=since.replace(tzinfo=UTC) if since else None,
            version=model_version,
        )
    found = show_live(console, live)
    _write(report, lambda: live_report(live))
    if as_json:
        tell(live_told(live, found))


@app.command("starter", epilog="Example: python -m training starter --out models")
def starter_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model files", metavar="DIR")] = Path("models"),
) -> None:
    """Make the starter models: trained by this pipeline on simulated bets, and labelled so."""
    with tempfile.TemporaryDirectory() as work:
        _train_and_judge(starter_bets.market(), Path(work), seed=starter_bets.SEED, report=None, starter=True)
        out.mkdir(parents=True, exist_ok=True)
        paths = {path.name: path for path in Path(work).glob("*_latest.*")}
        promote(paths, out)
    console.print(f"the starter models are in {out}")


def _train_and_judge(
    settled: SettledBets, out: Path, *, seed: int, report: Path | None, starter: bool = False, as_json: bool = False
) -> str:
    with _bar("training", STEPS) as advance:
        now = starter_bets.TIME if starter else None
        trained = train(settled, seed=seed, now=now, starter=starter, progress=lambda: advance(1))
    if not trained.metadata["rounds"]:
        console.print("no edge over the price that lasts: the set says what the odds say, recalibrated")
    paths = write_version(trained, out)
    with tempfile.TemporaryDirectory() as work:
        promote(paths, Path(work))
        with _checked(Path(work)) as models:
            with console.status("judging"):
                judged_bets, past, which = newest(models, settled, 0.2)
                judged = judge(models, judged_bets, past)
                verdict = gates(judged)
            show_verdict(console, models, judged, verdict, which)
            _write(report, lambda: html_report(models, judged, verdict, which=which))
            if as_json:
                tell(verdict_told(models, judged, verdict, which))
    if not verdict.passed:
        console.print(f"validation failed: the *_latest files in {out} are as they were")
        raise typer.Exit(1)
    promote(paths, out)
    return str(trained.metadata["timestamp"])


def _read(bets: Path | None, asked: Asked, *, supabase: bool, rejected: Path | None) -> SettledBets:
    if (bets is None) == (not supabase):
        raise ModelError("name the bets: --bets FILE or --supabase (one of them); nothing is trained without bets")
    with console.status(f"reading {bets or 'Supabase'}"):
        if bets is None:
            from training.settled.supabase import fetch_settled  # noqa: PLC0415 - a second to import

            settled, report = fetch_settled(Settings.load(), placed=asked.placed)
        else:
            settled, report = read_settled(bets, asked, rejected=rejected)
    _print(report)
    imports = imports_of(settled.bets.placed_at)
    if imports:
        console.print(imports.words(len(settled)), soft_wrap=True)
    if not len(settled):
        raise ModelError("there is no usable bet: nothing is trained or judged without bets")
    return settled


def _print(report: ReadReport) -> None:
    for line in report.lines():
        console.print(line, soft_wrap=True)


@contextmanager
def _checked(folder: Path) -> Iterator[ModelSet]:
    with ExitStack() as stack:
        with console.status(f"checking the models in {folder}"):
            models = stack.enter_context(checked(folder))
        yield models


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)


def _write(report: Path | None, page: Callable[[], str]) -> None:
    if report:
        report.write_text(page(), encoding="utf-8")
        console.print(f"report: {report}")


def _kind(path: Path) -> str:
    return ".parquet" if path.suffix == ".parquet" else ".csv"


def main() -> None:
    """Run a command; what can't be done is said in one line."""
    try:
        app()
    except ModelError as error:
        sys.exit(f"{error.message}")
    except ValidationError as error:
        sys.exit(f"settings: {error}")


if __name__ == "__main__":
    main()

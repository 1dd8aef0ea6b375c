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
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

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
from training.judging.evaluate import Judged, Verdict, gates, judge, newest, slices
from training.judging.live import Live, join
from training.judging.measures import percent, scores
from training.judging.outcomes import Outcome, outcomes, verdict
from training.judging.prices import PriceReport, moneyline_reports, soccer_reports
from training.reports.summary import markdown_summary
from training.reports.terms import terms
from training.reports.told import live_told, prices_told, tell, verdict_told
from training.score import ScoredFile
from training.settled.imports import imports_of
from training.settled.simulate import simulate

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
console = Console()

_LIVE_WIDTH = 110
STARTER_SEED = 20_260_101
STARTER_BETS = 40_000
STARTER_TIME = datetime(2026, 1, 1, tzinfo=UTC)  # names the set: made again, it is the same

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
        settled = _simulated(candidate) if simulated else _read(bets, asked, supabase=supabase, rejected=rejected)
        with console.status("judging"):
            judged_bets, past, which = newest(candidate, settled, share)
            which += " (simulated)" if simulated else ""
            judged = judge(candidate, judged_bets, past)
            production = None
            if against:
                with checked(against) as other:
                    production = judge(other, judged_bets, past)
            verdict = gates(judged, production)
        _show(candidate, judged, verdict, which, report, production)
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
    faults = [list(_show_prices(report)) for report in reports]
    if as_json:
        tell([prices_told(*pair) for pair in zip(reports, faults, strict=True)])
    failed = [fault for some in faults for fault in some]
    if failed:
        console.print(*failed, sep="\n")
        raise typer.Exit(1)


def _show_prices(report: PriceReport) -> Iterator[str]:
    """Print what a report says; yield what is wrong with it."""
    loss = report.against_price()
    console.print(
        f"\n{report.name}: {len(report.won):,} selections; log loss of the fair probability against the raw price "
        f"{loss.mean:+.5f} [{loss.low:+.5f}, {loss.high:+.5f}]"
    )
    if loss.low > 0:
        yield f"{report.name}: the fair probability is worse than the raw price"
    table = Table("grade", "selections", "return % [95 %]", box=SIMPLE_HEAD)
    for letter, count, mean in report.returns():
        table.add_row(letter, f"{count:,}", percent(mean))
    console.print(table)
    if "reference" not in report.name:
        return
    ahead = report.better_than("ABCD", "F")
    console.print(f"A to D above F: {percent(ahead)} points")
    for pair in report.inverted():
        yield f"{report.name}: grades {pair} are inverted"


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
    found = _show_live(live, report)
    if as_json:
        tell(live_told(live, found))


@app.command("starter", epilog="Example: python -m training starter --out models")
def starter_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model files", metavar="DIR")] = Path("models"),
) -> None:
    """Make the starter models: trained by this pipeline on simulated bets, and labelled so."""
    with tempfile.TemporaryDirectory() as work:
        _train_and_judge(simulate(STARTER_BETS, STARTER_SEED), Path(work), seed=STARTER_SEED, report=None, starter=True)
        out.mkdir(parents=True, exist_ok=True)
        paths = {path.name: path for path in Path(work).glob("*_latest.*")}
        promote(paths, out)
    console.print(f"the starter models are in {out}")


def _train_and_judge(
    settled: SettledBets, out: Path, *, seed: int, report: Path | None, starter: bool = False, as_json: bool = False
) -> str:
    with _bar("training", STEPS) as advance:
        now = STARTER_TIME if starter else None
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
            _show(models, judged, verdict, which, report)
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


def _simulated(models: ModelSet) -> SettledBets:
    if not models.starter:
        raise ModelError(
            f"model set {models.version} is no starter set: simulated bets say nothing of it; name settled ones by "
            "--bets FILE (make validate BETS=FILE)"
        )
    return simulate(STARTER_BETS, STARTER_SEED + 1)  # a market that the set was not trained on


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


def _show(
    models: ModelSet,
    judged: Judged,
    verdict: Verdict,
    which: str,
    report: Path | None,
    production: Judged | None = None,
) -> None:
    console.print(f"model set {models.version} on {len(judged.won):,} bets: {which}", soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, padding=0)
    losses = ["log loss", "of the odds", *(["production's"] if production else [])]
    for name in ("bets", "n", *losses, "Brier", "ECE", "AUC"):
        table.add_column(name, justify="left" if name == "bets" else "right")
    for name, all_scores in slices(judged, production):
        own = all_scores[0]
        found = [f"{one.log_loss:.4f}" for one in all_scores]
        table.add_row(name, f"{own.bets:,}", *found, f"{own.brier:.4f}", f"{own.ece:.4f}", f"{own.auc:.3f}")
    console.print(table)
    for name, words in terms(models, judged):
        console.print(f"{name}: {words}", soft_wrap=True)
    console.print("return by grade, one unit on each bet (95 % bootstrap interval)")
    grades = Table(box=SIMPLE_HEAD)
    for name in ("grade", "bets", "mean", "from", "to"):
        grades.add_column(name, justify="right")
    for letter, bets, roi in judged.returns():
        figures = (f"{roi.mean:+.1f} %", f"{roi.low:+.1f} %", f"{roi.high:+.1f} %") if bets else ("", "", "")
        grades.add_row(letter, f"{bets:,}", *figures)
    console.print(grades)
    for gate in verdict.gates:
        console.print(f"{'pass' if gate.passed else 'FAIL'}  {gate.name}: {gate.found}", soft_wrap=True)
    if report:
        from training.reports.page import html_report  # noqa: PLC0415 - matplotlib takes a second to import

        report.write_text(html_report(models, judged, verdict, which=which, production=production), encoding="utf-8")
        console.print(f"report: {report}")


def _show_live(live: Live, report: Path | None) -> list[Outcome]:
    # Cut figures would be worse than broken lines.
    wide = Console(width=max(console.width, _LIVE_WIDTH), stderr=console.stderr)
    for line in live.coverage.words():
        console.print(line)
    with console.status("judging"):
        found = list(outcomes(live))
    console.print(verdict(found[0]), soft_wrap=True)
    console.print("what came of them, percent (95 % bootstrap intervals); pushes are left out")
    came = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("predictions", "n", "closing line value", "known", "expected", "one unit each", "by Kelly"):
        came.add_column(name, justify="left" if name == "predictions" else "right", no_wrap=True)
    for row in found:
        expected = f"{row.expected:+.1f}" if row.bets else ""
        returns = (percent(row.returned), percent(row.kelly))
        came.add_row(row.name, f"{row.bets:,}", percent(row.clv), f"{row.clv_known:,}", expected, *returns)
    wide.print(came)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("predictions", "n", "log loss", "of the odds", "better by", "from", "to", "Brier", "ECE", "AUC"):
        table.add_column(name, justify="left" if name == "predictions" else "right", no_wrap=True)
    for name, part in live.parts():
        own, odds = (scores(p, part.judged.won) for p in (part.judged.probability, part.judged.implied))
        gap = part.judged.losses_against(part.judged.implied)
        losses = (own.log_loss, odds.log_loss)
        figures = [f"{value:.4f}" for value in losses] + [f"{-value:+.4f}" for value in (gap.mean, gap.high, gap.low)]
        table.add_row(name, f"{own.bets:,}", *figures, f"{own.brier:.4f}", f"{own.ece:.4f}", f"{own.auc:.3f}")
    wide.print(table)
    if report:
        from training.reports.page import live_report  # noqa: PLC0415 - matplotlib takes a second to import

        report.write_text(live_report(live), encoding="utf-8")
        console.print(f"report: {report}")
    return found


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

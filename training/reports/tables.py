"""What the commands show to people: tables and lines on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pikkit.models.model_set import ModelSet
from training.judging.evaluate import Judged, Verdict, slices
from training.judging.live import Live
from training.judging.measures import percent, scores
from training.judging.outcomes import Outcome, outcomes, verdict
from training.judging.prices import PriceReport
from training.reports.terms import terms

__all__ = ["show_live", "show_prices", "show_verdict"]

_LIVE_WIDTH = 110


def show_verdict(
    console: Console,
    models: ModelSet,
    judged: Judged,
    verdict: Verdict,
    which: str,
    production: Judged | None = None,
) -> None:
    """Scores by slice, in words how the probabilities came about, returns by grade, gates."""
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


def show_live(console: Console, live: Live) -> list[Outcome]:
    """What came of served predictions, and how good they were; returns the outcomes that it showed."""
    # Cut figures would be worse than broken lines.
    wide = Console(width=max(console.width, _LIVE_WIDTH), stderr=console.stderr, markup=False, emoji=False)
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
    return found


def show_prices(console: Console, report: PriceReport) -> Iterator[str]:
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

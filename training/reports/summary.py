"""The verdict on a model set as Markdown, for the page of a pipeline's run."""

from __future__ import annotations

from pikkit.models.model_set import ModelSet
from training.judging.evaluate import Judged, Verdict, slices
from training.reports.terms import terms

__all__ = ["markdown_summary"]


def markdown_summary(
    models: ModelSet, judged: Judged, verdict: Verdict, *, which: str, production: Judged | None = None
) -> str:
    """Log loss on all bets, calibration and weights, gates, and return by grade (percent of one unit each)."""
    _, found = next(slices(judged, production))
    losses = [f"{found[0].log_loss:.4f}", f"{found[1].log_loss:.4f} of the odds"]
    if production is not None:
        losses.append(f"{found[2].log_loss:.4f} of production's set")
    lines = [
        f"### Model set {models.version}: validation {'passed' if verdict.passed else 'FAILED'}",
        "",
        f"{len(judged.won):,} settled bets: {which}. Log loss {', '.join(losses)}.",
        "",
        *(f"- {name}: {words}" for name, words in terms(models, judged)),
        "",
        "| Gate | Found | |",
        "|---|---|---|",
        *(f"| {gate.name} | {gate.found} | {'pass' if gate.passed else '**FAIL**'} |" for gate in verdict.gates),
        "",
        "| Grade | Bets | Return of one unit each |",
        "|---|---:|---:|",
    ]
    for letter, bets, roi in judged.returns():
        interval = f"{roi.mean:+.1f} % ({roi.low:+.1f} to {roi.high:+.1f})" if bets else ""
        lines.append(f"| {letter} | {bets:,} | {interval} |")
    return "\n".join(lines) + "\n\n"

"""The validation report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pikkit.models.model_set import ModelSet
from training.judging.evaluate import Judged, Verdict, slices
from training.judging.live import Live
from training.judging.measures import Scores, percent, reliability, scores
from training.judging.outcomes import outcomes, verdict
from training.reports.terms import terms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["html_report", "live_report"]

_MEASURES = {"log_loss": "log loss", "brier": "Brier", "ece": "ECE", "auc": "AUC"}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem;color:#1c1c1e}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:1rem 0}
th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.pass{color:#0a6b2d}.fail{color:#b00020;font-weight:600}figure{margin:1rem 0}img{max-width:100%}
"""


def html_report(
    models: ModelSet, judged: Judged, verdict: Verdict, *, which: str, production: Judged | None = None
) -> str:
    """The report on one set.

    Args:
        models: the set.
        judged: its predictions.
        verdict: its gates.
        which: in words, which bets it was judged by.
        production: the predictions of the set to compare with.
    """
    passed = "passed" if verdict.passed else "FAILED"
    gates = [
        [
            gate.name,
            gate.found,
            f'<span class="{"pass" if gate.passed else "fail"}">{"pass" if gate.passed else "FAIL"}</span>',
        ]
        for gate in verdict.gates
    ]
    measures = [
        [escape(name), f"{found[0].bets:,}", *(" / ".join(_figures(found, measure)) for measure in _MEASURES)]
        for name, found in slices(judged, production)
    ]
    returns = [
        [
            letter,
            f"{bets:,}",
            f"{roi.mean:+.1f} %" if bets else "",
            f"{roi.low:+.1f} … {roi.high:+.1f} %" if bets else "",
        ]
        for letter, bets, roi in judged.returns()
    ]
    of_whom = "those of the sportsbook's implied probability" + (
        " / those of the set in production" if production else ""
    )
    title = f"Model set {escape(models.version)}: validation {passed}"
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>',
            f"<h1>{title}</h1>",
            f"<p>Judged by {len(judged.won):,} settled bets: {escape(which)}.</p>",
            f"<p>Figures are the set's / {of_whom}.</p>",
            "<h2>Gates</h2>",
            _table(["gate", "found", ""], gates),
            "<h2>Measures</h2>",
            _table(["bets", "n", *_MEASURES.values()], measures),
            "<h2>Calibration and weights</h2>",
            _table(["", "fitted"], [[name, escape(words)] for name, words in terms(models, judged)]),
            "<h2>Reliability</h2>",
            _figure(_reliability(judged, production), "Share of bets won against predicted probability, in ten bins"),
            "<h2>Return by grade</h2><p>One unit on each bet; the intervals are 95 % bootstrap intervals.</p>",
            _table(["grade", "bets", "mean return", "95 % interval"], returns),
            _figure(_returns(judged), "Mean return by grade with 95 % intervals"),
            "</html>",
        ]
    )


def live_report(live: Live) -> str:
    """The report on served predictions whose bets are settled."""
    judged = live.judged
    measures = []
    for name, part in live.parts():
        both = [scores(p, part.judged.won) for p in (part.judged.probability, part.judged.implied)]
        gap = part.judged.losses_against(part.judged.implied)
        difference = f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
        columns = (" / ".join(_figures(both, measure)) for measure in _MEASURES)
        measures.append([escape(name), f"{both[0].bets:,}", *columns, difference])
    by_kind = [
        [escape(name), f"{both[0].bets:,}", *(" / ".join(_figures(both, measure)) for measure in _MEASURES)]
        for name, both in slices(judged)
    ]
    found = list(outcomes(live))
    came = [
        [
            escape(row.name),
            f"{row.bets:,}",
            f"{percent(row.clv)} ({row.clv_known:,})" if row.clv_known else "unknown" if row.bets else "",
            f"{row.expected:+.1f}" if row.bets else "",
            percent(row.returned),
            percent(row.kelly),
        ]
        for row in found
    ]
    title = "Served predictions and what came of them"
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>',
            f"<h1>{title}</h1>",
            *(f"<p>{escape(line)}.</p>" for line in live.coverage.words()),
            f"<p><strong>{escape(verdict(found[0]))}.</strong></p>",
            (
                "<h2>What came of them</h2><p>Percent, with 95 % bootstrap intervals; without pushes. Closing line "
                "value converges with far fewer bets than returns. By Kelly: profit in percent of full Kelly stakes. "
                "By evidence: what the prediction rested on.</p>"
            ),
            _table(["predictions", "n", "closing line value (n)", "expected ROI", "one unit each", "by Kelly"], came),
            _figure(_returns(judged), "Mean return by grade with 95 % intervals"),
            (
                "<h2>Measures</h2><p>Figures are the served predictions' / those of the sportsbook's implied "
                "probability; the difference of log losses is below 0 where the predictions are better.</p>"
            ),
            _table(["predictions", "n", *_MEASURES.values(), "difference of log losses"], measures),
            "<h2>Reliability</h2>",
            _figure(_reliability(judged, None), "Share of bets won against served probability, in ten bins"),
            "<h2>By kind of bet</h2>",
            _table(["bets", "n", *_MEASURES.values()], by_kind),
            "</html>",
        ]
    )


def _figures(found: Sequence[Scores], measure: str) -> list[str]:
    return [f"{getattr(one, measure):.4f}" for one in found]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th scope=col>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _figure(figure: Figure, text: str) -> str:
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None})
    data = base64.b64encode(target.getvalue()).decode()
    return f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}"></figure>'


def _blank(height: float) -> Figure:
    import matplotlib.figure  # noqa: PLC0415 - takes a second, and who asks for no page draws nothing

    matplotlib.use("svg")
    return matplotlib.figure.Figure(figsize=(6.5, height), layout="constrained")


def _reliability(judged: Judged, production: Judged | None) -> Figure:
    figure = _blank(4.5)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999", linewidth=1, label="perfect")
    curves = [(judged.implied, "implied by the odds", "s"), (judged.probability, "this set", "o")]
    if production is not None:
        curves.append((production.probability, "set in production", "^"))
    for p, name, marker in curves:
        bins = reliability(p, judged.won)
        axes.plot([b[0] for b in bins], [b[1] for b in bins], marker=marker, label=name)
    axes.set(xlabel="predicted probability", ylabel="share won", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return figure


def _returns(judged: Judged) -> Figure:
    figure = _blank(3.5)
    axes = figure.add_subplot()
    rows = [(letter, roi) for letter, bets, roi in judged.returns() if bets]
    means = np.array([roi.mean for _, roi in rows])
    spread = np.array([[roi.mean - roi.low for _, roi in rows], [roi.high - roi.mean for _, roi in rows]])
    axes.bar([letter for letter, _ in rows], means, yerr=spread, capsize=4, color="#4477aa")
    axes.axhline(0, color="#333", linewidth=1)
    axes.set(xlabel="grade", ylabel="mean return (%)")
    return figure

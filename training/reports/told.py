"""What the commands tell programs: JSON with the figures that people get as tables.

Losses are in nats, returns in percent. What no bet says is null.
An interval is `{"mean", "low", "high"}`, 95 % by bootstrap.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pydantic_core import to_json

from pikkit.models.model_set import ModelSet
from training.judging.evaluate import Judged, Verdict, slices
from training.judging.live import Live
from training.judging.measures import Interval, scores
from training.judging.outcomes import Outcome
from training.judging.prices import PriceReport

__all__ = ["live_told", "prices_told", "tell", "verdict_told"]


def tell(data: object) -> None:
    """Write it to standard output."""
    sys.stdout.write(to_json(data, inf_nan_mode="null", indent=2, fallback=lambda value: value.item()).decode() + "\n")


def verdict_told(
    models: ModelSet, judged: Judged, verdict: Verdict, which: str, production: Judged | None = None
) -> dict[str, Any]:
    """The set's version, gates, scores of the model, the odds and production's set, and return by grade."""
    return {
        "version": models.version,
        "bets": len(judged.won),
        "judged_on": which,
        "passed": verdict.passed,
        "gates": verdict.gates,
        "scores": {
            name: dict(zip(("model", "odds", "production"), found, strict=False))
            for name, found in slices(judged, production)
        },
        "return_by_grade": _by_grade(judged.returns()),
    }


def prices_told(report: PriceReport, faults: Iterable[str]) -> dict[str, Any]:
    """Log loss of the fair probability less the raw price's, return by grade, and what is wrong."""
    return {
        "name": report.name,
        "selections": len(report.won),
        "log_loss_difference": report.against_price(),
        "return_by_grade": _by_grade(report.returns()),
        "faults": list(faults),
    }


def live_told(live: Live, found: Iterable[Outcome]) -> dict[str, Any]:
    """What the predictions cover, what came of them, and the scores of model and odds by part."""
    return {
        "coverage": asdict(live.coverage),
        "outcomes": list(found),
        "scores": {
            name: {
                "model": scores(part.judged.probability, part.judged.won),
                "odds": scores(part.judged.implied, part.judged.won),
            }
            for name, part in live.parts()
        },
    }


def _by_grade(returns: Iterable[tuple[str, int, Interval]]) -> dict[str, Any]:
    return {letter: {"bets": bets, "return_pct": interval} for letter, bets, interval in returns}

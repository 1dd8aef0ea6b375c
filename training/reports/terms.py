"""How a set's probabilities come about, and how well calibrated they turned out: in words, for every report."""

from __future__ import annotations

from collections.abc import Iterator

from pikkit.models.model_set import ModelSet
from pikkit.models.remarks import market_in_words
from training.judging.evaluate import Judged
from training.judging.measures import calibration

__all__ = ["terms"]


def terms(models: ModelSet, judged: Judged) -> Iterator[tuple[str, str]]:
    """Name and words of each: calibration on the judged bets, the price's part, the weight beside other prices."""
    found = calibration(judged.probability, judged.won)
    intercept = f"{found.intercept:+.3f} (± {found.intercept_error:.3f})"
    slope = f"{found.slope:.3f} (± {found.slope_error:.3f})"
    yield "calibration", f"log-odds of winning = {intercept} + {slope} · those predicted; 0 and 1 are perfect"
    prior = models.metadata.get("prior")
    if prior:
        trees = f" + {models.metadata['rounds']} rounds of trees" if models.metadata.get("rounds") else ", and no trees"
        yield "the price's part", f"log-odds = {prior['intercept']:+.3f} + {prior['slope']:.3f} · the price's{trees}"
    opinion = models.opinion
    if opinion.weight_market is not None:
        line = f"{opinion.intercept:+.3f} + {opinion.slope:.3f} · the raw price's"
        yield "the model to the price", f"its log-odds lie at {line}; the rest is opinion"
    yield "beside other prices", market_in_words(models)

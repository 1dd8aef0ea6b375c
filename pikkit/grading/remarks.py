"""What a caller should know about an answer, beside its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pikkit.bets.bet import Leg
from pikkit.grading.figures import Figures

__all__ = ["remarks"]

_DISAGREEMENT = (
    "the models disagree: the expected ROI is {:+.1f} %, the win probability and the price give {:+.1f} %; "
    "the lower one decides"
)
_PLACES = [Figures._fields.index(name) for name in ("expected_roi", "price_roi", "outside")]


def remarks(
    bets: Sequence[Leg],
    columns: Sequence[Sequence[float]],
    unknown: Sequence[tuple[int, str]],
    limited: Mapping[int, str],
) -> Iterator[tuple[int, str]]:
    """Warnings with the positions of their bets.

    Args:
        bets: as they were graded.
        columns: their figures.
        unknown: which bets have a name that the set does not know, in which column.
        limited: why bets are a D at the most.
    """
    for i, name in unknown:
        value = getattr(bets[i], name)
        said = (
            f"{name} {value!r} is unknown to this model set"
            if value
            else f"no {name}, and no class for that in this set"
        )
        yield i, f"{said}: confidence is lower"
    for i, reason in limited.items():
        yield i, f"{reason}; the grade is at most D, without a stake"
    rois, price_rois, outside = (columns[place] for place in _PLACES)
    for i, (roi, price_roi) in enumerate(zip(rois, price_rois, strict=True)):
        if (roi > 0) != (price_roi > 0):
            yield i, _DISAGREEMENT.format(roi, price_roi)
    if any(outside):
        for i, flag in enumerate(outside):
            if flag:
                yield i, "this model set has seen too few bets at such prices: the grade is at most D, without a stake"

"""How much a model set's opinion counts beside the market's, and where it knows nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Bools, Floats, logit, sigmoid
from pikkit.errors import ModelError

__all__ = ["Opinion"]

_EDGE = 1e-6  # chances are held off 0 and 1 by so much


@dataclass(frozen=True, slots=True)
class Opinion:
    """What past bets showed about a set's win model.

    logit(p) = logit(fair) + weight * (logit(model) - intercept - slope * logit(implied)): what the model says beyond
    how it usually lies to the raw price, in the measure in which that has proved true. `weight_market`: beside all
    sides of the bet's own market, `weight_reference`: beside other sportsbooks. None: nobody has looked; then a
    reference is believed, and the model beside the own market alone.

    `lowest`, `highest`: implied probabilities (fractions) between which there were enough settled bets. `knows_edges`:
    False for a set that was trained here and found nothing beyond the price.
    """

    intercept: float = 0.0
    slope: float = 1.0
    weight_market: float | None = None
    weight_reference: float | None = None
    lowest: float = 0.0
    highest: float = 1.0
    trained_here: bool = False
    knows_edges: bool = True

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object]) -> Opinion:
        """What the metadata of a set says (`market`, `price_range`, `prior`, `rounds`).

        Raises:
            ModelError: `market` or `price_range` are of another form.
        """
        market, price_range = metadata.get("market"), metadata.get("price_range", [0.0, 1.0])
        trained_here = isinstance(metadata.get("prior"), dict)
        try:
            fitted = {} if market is None else _numbers(market)
            lowest, highest = _bounds(price_range)
        except (TypeError, ValueError, KeyError) as cause:
            raise ModelError(
                f"metadata has a `market` or `price_range` that can't be read ({cause!r}): {_FORM}"
            ) from cause
        fractions = (lowest, highest, *(fitted[name] for name in _WEIGHTS if name in fitted))
        if (
            not all(map(math.isfinite, fitted.values()))
            or not all(0 <= one <= 1 for one in fractions)
            or lowest > highest
        ):
            raise ModelError(f"metadata has market {fitted} and price_range {[lowest, highest]}: {_FORM}")
        return cls(
            **fitted,
            lowest=lowest,
            highest=highest,
            trained_here=trained_here,
            knows_edges=not (trained_here and metadata.get("rounds") == 0),
        )

    def to_metadata(self) -> dict[str, object]:
        """`market` and `price_range` as `from_metadata` reads them."""
        fitted = {name: getattr(self, name) for name in _FITTED}
        return {"market": fitted, "price_range": [self.lowest, self.highest]}

    def counts_beside(self, reference: Bools) -> bool:
        """Whether the model's own chance changes that of any bet with a fair probability.

        Args:
            reference: whether that is other sportsbooks'.
        """
        if self.weight_market is None or self.weight_reference is None:
            return not reference.all()
        return bool((self.weight_market and not reference.all()) or (self.weight_reference and reference.any()))

    def combined(self, model: Floats, implied: Floats, fair: Floats, *, reference: Bools) -> Floats:
        """Win probability (fraction) of n bets with a fair probability; other sportsbooks' alone at prices outside.

        Args:
            model: the model's own (fraction).
            implied: of the raw price (fraction).
            fair: the market's without vig (fraction).
            reference: whether `fair` is other sportsbooks'.
        """
        if self.weight_market is None or self.weight_reference is None:
            return np.where(reference, fair, model)
        weight: Floats = np.full(len(fair), self.weight_market)
        if reference.any():
            outside = (implied < self.lowest) | (implied > self.highest)
            weight = np.where(reference, self.weight_reference * ~outside, self.weight_market)
        own, price, market = _safe_logit(np.array([model, implied, fair]))
        beyond = own - self.intercept - self.slope * price
        return np.where(weight == 0, fair, sigmoid(market + weight * beyond))


_WEIGHTS = ("weight_market", "weight_reference")
_FITTED = ("intercept", "slope", *_WEIGHTS)
_FORM = f"`market` holds finite numbers {', '.join(_FITTED)}, weights from 0 to 1; `price_range` two rising fractions"


def _safe_logit(p: Floats) -> Floats:
    return logit(np.minimum(np.maximum(p, _EDGE), 1 - _EDGE))  # np.clip takes four times as long


def _numbers(market: object) -> dict[str, float]:
    if not isinstance(market, Mapping):
        raise TypeError("`market` is no object")
    return {name: float(market[name]) for name in _FITTED}


def _bounds(price_range: object) -> tuple[float, float]:
    if not isinstance(price_range, Sequence):
        raise TypeError("`price_range` is no list")
    lowest, highest = price_range
    return float(lowest), float(highest)

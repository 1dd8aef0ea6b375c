"""Whether features look into the future: they must not change when later results do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pikkit.bets.odds import expected_roi_pct
from pikkit.features.table import Matrix
from pikkit.history.history import SettledBets

__all__ = ["leaking_features"]

_CUTS = (0.25, 0.5, 0.75)
_TOLERANCE = 1e-6  # what float32 features keep of a different order of summing; one result weighs far more


def leaking_features(
    settled: SettledBets, features: Callable[[SettledBets], Matrix], names: Sequence[str]
) -> list[str]:
    """Names of the features that know results which were not there yet.

    For some moments, every result from then on is turned round. The features of all bets up to and with that moment
    may not notice: a bet's own result, and that of a bet at the same time, is future too.

    Args:
        settled: the bets.
        features: makes their rows, (n, k).
        names: of the k features.
    """
    times = settled.bets.placed_at
    rows = features(settled)
    leaking = np.zeros(len(names), dtype=np.bool_)
    for share in _CUTS:
        moment = np.quantile(times, share, method="nearest")
        won = np.where(times >= moment, ~settled.won, settled.won)
        roi = expected_roi_pct(won.astype(np.float64), settled.bets.odds)
        turned = SettledBets(settled.bets, won, np.where(times >= moment, roi, settled.roi_pct))
        seen = times <= moment
        same = np.isclose(features(turned)[seen], rows[seen], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        leaking |= ~same.all(axis=0)
    return [name for name, leaks in zip(names, leaking, strict=True) if leaks]

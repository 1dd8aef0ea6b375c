"""Bets, metadata and past results to the matrix that the models read: the only feature code, for training too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL, BetColumns
from pikkit.bets.names import ALIASES, Encoder
from pikkit.bets.odds import implied_probability
from pikkit.errors import ModelError
from pikkit.history.history import COUNT, GROUPS, IMPLIED, ROI, WINS, HistoryColumns

__all__ = [
    "DAY_S",
    "EPOCH_WEEKDAY",
    "FEATURES",
    "PRIOR_BETS",
    "FeatureRows",
    "FeatureSpec",
    "Numeric",
    "assemble",
    "build_matrix",
]

Floats = npt.NDArray[np.float64]

PRIOR_BETS = 25.0  # bets at the price's own chance that are added to every group's record: shrinks small samples
DAY_S = 86_400.0
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0

_PER_GROUP: Mapping[str, str] = {
    "win_rate": "wins over decided bets (fraction), shrunk to the bet's implied probability",
    "roi": "mean ROI (percent), shrunk to 0",
    "count": "decided bets",
    "edge": "wins above what the prices implied, per bet (fraction), shrunk to 0",
}

FEATURES: Mapping[str, str] = {
    **{f"{column}_encoded": f"code of {column}; NaN where the model set has none" for column in CATEGORICAL},
    "implied_prob": "the price's own chance to win (fraction), vig included",
    "is_live": "1 while the event runs",
    "clv_percentage": "closing line value (percent); 0 while unknown",
    "clv_ev": "clv_percentage times implied_prob",
    "has_clv": "1 if the closing line value is known",
    **{f"{group}_{name}": text for group in GROUPS for name, text in _PER_GROUP.items()},
    "recent_win_rate": "win rate (fraction) of the last ten of the sport and market, shrunk to implied_prob",
    "day_of_week": "0 (Monday) to 6, UTC",
    "hour_of_day": "0 to 23, UTC",
    "days_since_first_bet": "whole days since the first bet of the history; 0 without",
}
_NAMES = tuple(FEATURES)


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """`matrix`: (n, k). `unknown`: (n, 5), by CATEGORICAL. `sample_size`: (n,), bets of the sport and market."""

    matrix: npt.NDArray[np.float32]
    unknown: npt.NDArray[np.bool_]
    sample_size: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which features a model set wants, in order (`positions`: among FEATURES), and its encoders by column."""

    names: tuple[str, ...]
    encoders: Mapping[str, Encoder]
    positions: npt.NDArray[np.intp]

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> FeatureSpec:
        """The spec that metadata describes (`features`, `encoders`).

        Raises:
            ModelError: a feature or encoder is missing, doubled or not known here.
        """
        names = metadata.get("features")
        encoders = metadata.get("encoders")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ModelError("metadata has no list of `features`: name the columns the models were trained on")
        for name in names:
            if name not in FEATURES:
                raise ModelError(f"feature {name[:60]!r} is not known here: known are {', '.join(FEATURES)}")
        if len(set(names)) < len(names):
            raise ModelError("metadata lists a feature twice: each column has one name")
        if not isinstance(encoders, dict):
            raise ModelError("metadata has no `encoders`: give the list of classes of each encoded column")
        for column in CATEGORICAL:
            classes = encoders.get(column)
            if f"{column}_encoded" in names and not classes:
                raise ModelError(f"metadata has no encoder for {column}, which {column}_encoded needs")
            if classes is not None and not (isinstance(classes, list) and all(isinstance(c, str) for c in classes)):
                raise ModelError(f"the encoder of {column} is not a list of names: position = code")
        return cls(
            tuple(names),
            {column: Encoder(encoders[column], ALIASES[column]) for column in CATEGORICAL if encoders.get(column)},
            np.array([_NAMES.index(name) for name in names], dtype=np.intp),
        )


class Numeric(Protocol):
    """The columns of BetColumns that are numbers."""

    @property
    def odds(self) -> Floats:
        """American odds."""
        ...

    @property
    def is_live(self) -> npt.NDArray[np.bool_]:
        """Placed while the event runs."""
        ...

    @property
    def clv_percentage(self) -> Floats:
        """Percent; NaN: unknown."""
        ...

    @property
    def placed_at(self) -> Floats:
        """Seconds since the epoch."""
        ...


def build_matrix(bets: BetColumns, past: HistoryColumns, spec: FeatureSpec, *, neutral_count: int = 0) -> FeatureRows:
    """The feature rows of n bets.

    Args:
        bets: the bets.
        past: what is known of their past.
        spec: what the model set wants.
        neutral_count: sample size to assume where there is no history at all.
    """
    n = len(bets)
    codes = np.full((n, len(CATEGORICAL)), np.nan)
    unknown = np.zeros((n, len(CATEGORICAL)), dtype=np.bool_)
    for i, (column, values) in enumerate(bets.categorical()):
        encoder = spec.encoders.get(column)
        if encoder is not None:
            found = [encoder.find(value) for value in values]
            codes[:, i] = [code for code, _ in found]
            unknown[:, i] = [not known for _, known in found]
    return assemble(codes, unknown, bets, past, spec, neutral_count=neutral_count)


def assemble(
    codes: Floats,
    unknown: npt.NDArray[np.bool_],
    bets: Numeric,
    past: HistoryColumns,
    spec: FeatureSpec,
    *,
    neutral_count: int = 0,
) -> FeatureRows:
    """`build_matrix` of bets whose names are looked up already: `codes` and `unknown`, shape (n, 5)."""
    n = len(codes)
    implied = implied_probability(bets.odds)
    full = np.empty((n, len(_NAMES)))
    full[:, :5] = codes
    has_clv = np.isfinite(bets.clv_percentage)
    clv = np.where(has_clv, bets.clv_percentage, 0.0)
    full[:, 5] = implied
    full[:, 6] = bets.is_live
    full[:, 7] = clv
    full[:, 8] = clv * implied
    full[:, 9] = has_clv
    sums = past.sums
    count, wins = sums[:, :, COUNT], sums[:, :, WINS]
    weight = 1 / (count + PRIOR_BETS)
    groups = full[:, 10:30].reshape(n, len(GROUPS), 4)
    groups[:, :, 0] = (wins + PRIOR_BETS * implied[:, None]) * weight
    groups[:, :, 1] = sums[:, :, ROI] * weight
    groups[:, :, 2] = neutral_count if past.empty else count
    groups[:, :, 3] = (wins - sums[:, :, IMPLIED]) * weight
    full[:, 10:30] = groups.reshape(n, 20)
    recent_count, recent_wins = past.recent[:, 0], past.recent[:, 1]
    # Unshrunk, ten results are noise that a model takes for form: served so, real models lose to having no history.
    full[:, 30] = (recent_wins + PRIOR_BETS * implied) / (recent_count + PRIOR_BETS)
    days = np.floor(bets.placed_at / DAY_S)
    full[:, 31] = (days + EPOCH_WEEKDAY) % 7
    full[:, 32] = np.floor(bets.placed_at % DAY_S / 3600)
    if past.empty:
        full[:, 33] = 0
    else:
        full[:, 33] = np.maximum(0, np.floor((bets.placed_at - past.first_bet_at) / DAY_S))
    return FeatureRows(
        matrix=full[:, spec.positions].astype(np.float32),
        unknown=unknown,
        sample_size=groups[:, 1, 2].astype(np.int64),
    )

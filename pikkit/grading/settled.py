"""What a set says of bets of the past: what their callers got who sent nothing but the bet."""

from __future__ import annotations

import numpy as np

from pikkit.bets.columns import BetColumns
from pikkit.features.rows import FeatureRows, facts_of
from pikkit.grading.decision import Rules
from pikkit.grading.figures import Figures, Scores, figures
from pikkit.grading.parlays import has_legs
from pikkit.history.history import HistoryColumns

__all__ = ["settled_figures"]


def settled_figures(
    models: Scores, bets: BetColumns, past: HistoryColumns, rules: Rules
) -> tuple[Figures, FeatureRows]:
    """The figures of n bets, and the feature rows that they come from.

    Args:
        models: the set to grade with.
        bets: the bets; of a parlay no legs are known.
        past: what was known of the past of each.
        rules: thresholds.

    Raises:
        ModelError: the models answered with something that is not a number.
    """
    facts = facts_of(bets, past, models.spec)
    limited = np.array(list(map(has_legs, bets.bet_type, bets.market, bets.sport)), dtype=np.bool_)
    found, matrix = figures(models, facts, rules, limited=limited)
    return found, FeatureRows.of(facts, matrix)

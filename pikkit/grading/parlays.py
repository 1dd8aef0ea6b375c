"""Bets that are made of several: what can be said of them, and why not more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pikkit.bets.bet import Bet, Leg
from pikkit.bets.names import fold, group_key
from pikkit.grading.evidence import Evidence
from pikkit.grading.figures import Figures

__all__ = ["has_legs", "judge_legs", "why_limited"]

_PARLAYS = ("parlay", "same game", "sgp", "multi", "accumulator")
_OTHER = ("teaser", "round robin", "round_robin")


@lru_cache(1024)
def has_legs(bet_type: str, market: str, sport: str) -> bool:
    """Whether a bet's names say that it has legs."""
    return (
        group_key("bet_type", bet_type).startswith(_PARLAYS + _OTHER)
        or group_key("market", market) == "parlay"
        or group_key("sport", sport) == "parlay"
    )


def judge_legs(i: int, columns: Sequence[Sequence[float]], legs: Evidence, market: Evidence) -> list[bool]:
    """Write what the legs of bet `i` say together into `market`, if each has a fair probability; tell which have.

    Chances of independent legs multiply; the bet is trusted as its least trusted leg is.

    Args:
        i: position of the bet in `market`.
        columns: figures of the legs.
        legs: what other prices say of the legs.
        market: what other prices say of the bets.
    """
    fair: list[bool] = (~np.isnan(legs.fair)).tolist()
    for doubtful in legs.doubtful:
        fair[doubtful] = False
    if all(fair):
        market.joint[i] = math.prod(columns[Figures._fields.index("win_probability")])
        market.fair[i] = float(legs.fair.prod())
        market.reference[i] = bool(legs.reference.all())
        market.overround[i] = float((1 + legs.overround).prod() - 1)
        market.age_s[i] = float(np.nanmax(legs.age_s)) if not np.isnan(legs.age_s).all() else math.nan
        market.trust[i] = float(legs.trust.min()) if legs.reference.all() else math.nan
        market.words[i] = (
            f"the legs' prices without vig give {100 * market.fair[i]:.1f} % together, "
            f"they give {100 * market.joint[i]:.1f} % with what the model adds"
        )
    return fair


def why_limited(bet: Leg, fair: Sequence[bool] = ()) -> str | None:
    """Why a bet with legs can be a D at the most; None where nothing stands against it.

    Args:
        bet: one for which `has_legs` holds, or with legs.
        fair: for each leg, whether there is a fair probability.
    """
    kind = group_key("bet_type", bet.bet_type)
    legs = bet.legs if isinstance(bet, Bet) else None
    if kind.startswith(_OTHER):
        return f"{bet.bet_type}: its legs have no prices of their own"
    if legs is None:
        return f"{bet.bet_type}: its legs are not known, send them as legs"
    events = [None if leg.event is None else fold(leg.event) for leg in legs]
    if None in events:
        return f"leg {events.index(None) + 1} names no event: whether legs hang together can't be told"
    if len(set(events)) < len(events):
        return "two legs are of one event: their chances are not independent"
    if not all(fair):
        return f"leg {list(fair).index(False) + 1} has no fair price: send its market_prices or reference_prices"
    return None

"""Bets that are made of several: what can be said of them, and why not more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from pikkit.bets.bet import Bet, Leg
from pikkit.bets.names import fold, group_key
from pikkit.grading.evidence import Evidence, Told
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
    told = [legs.of(leg) for leg in range(len(columns[0]))]
    fair = [one is not None and leg not in legs.doubtful for leg, one in enumerate(told)]
    if all(fair):
        known = [one for one in told if one is not None]
        ages = [one.age_s for one in known if not math.isnan(one.age_s)]
        together = market.told[:, i] = Told(
            fair=math.prod(one.fair for one in known),
            overround=math.prod(1 + one.overround for one in known) - 1,
            age_s=max(ages, default=math.nan),
            trust=min(one.trust for one in known) if all(one.by_reference for one in known) else math.nan,
            joint=math.prod(columns[Figures._fields.index("win_probability")]),
        )
        market.words[i] = (
            f"the legs' prices without vig give {100 * together.fair:.1f} % together, "
            f"they give {100 * together.joint:.1f} % with what the model adds"
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

"""Bets that are made of several: what can be said of them, and why not more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from pikkit.bets.bet import Bet, Leg
from pikkit.bets.names import fold, same_name
from pikkit.grading.evidence import Evidence, Told
from pikkit.grading.figures import Figures

__all__ = ["has_legs", "judge_legs", "why_limited"]

_PARLAYS = ("parlay", "samegame", "sgp", "multi", "accumulator")  # in names without signs
_OTHER = ("teaser", "roundrobin")
_MARKETS = ("parlay", "samegameparlay", "samegameparlays")


@lru_cache(1024)
def has_legs(bet_type: str, market: str, sport: str) -> bool:
    """Whether a bet's names say that it has legs."""
    kind = _plain("bet_type", bet_type)
    return (
        any(word in kind for word in _PARLAYS + _OTHER)
        or _plain("market", market) in _MARKETS
        or same_name("sport", sport) == "parlay"
    )


def _plain(column: str, value: str) -> str:
    return "".join(filter(str.isalnum, same_name(column, value)))


def judge_legs(i: int, columns: Sequence[Sequence[float]], legs: Evidence, market: Evidence) -> list[bool]:
    """Write what the legs of bet `i` say together into `market`, if each has a fair probability; tell which have.

    What is said of a leg is said of the bet.
    Chances of independent legs multiply; the bet is trusted as its least trusted leg is.

    Args:
        i: position of the bet in `market`.
        columns: figures of the legs.
        legs: what other prices say of the legs.
        market: what other prices say of the bets.
    """
    said = {**legs.warnings, **{leg: [*legs.warnings.get(leg, ()), why] for leg, why in legs.doubtful.items()}}
    if said:
        about = (f"leg {leg + 1}: {words}" for leg in sorted(said) for words in said[leg])
        market.warnings[i] = [*market.warnings.get(i, ()), *about]
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
    kind = _plain("bet_type", bet.bet_type)
    legs = bet.legs if isinstance(bet, Bet) else None
    if any(word in kind for word in _OTHER):
        return f"{bet.bet_type}: its legs have no prices of their own"
    if legs is None:
        return f"{bet.bet_type}: its legs are not known, send them as legs"
    return _why_not_multiplied(legs, fair)


def _why_not_multiplied(legs: Sequence[Leg], fair: Sequence[bool]) -> str | None:
    made = [has_legs(leg.bet_type, leg.market, leg.sport) for leg in legs]
    if any(made):
        leg = made.index(True)
        return f"leg {leg + 1} is itself of several ({legs[leg].bet_type}): send each bet in it as a leg, or straight"
    events = [fold(leg.event or "") for leg in legs]
    if "" in events:
        return f"leg {events.index('') + 1} names no event: whether legs hang together can't be told"
    if len(set(events)) < len(events):
        return "two legs are of one event: their chances are not independent"
    if not all(fair):
        return f"leg {list(fair).index(False) + 1} has no fair price: send its market_prices or reference_prices"
    return None

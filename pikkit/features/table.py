"""The features: one row each, for one bet, for many and for training. A feature that is added here is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.numbers import Truth, Value
from pikkit.features.facts import Facts
from pikkit.history.groups import GROUPS

__all__ = ["FEATURES", "PRIOR_BETS", "Feature", "Matrix", "matrix_of"]

Matrix: TypeAlias = npt.NDArray[np.floating]

PRIOR_BETS = 25.0  # bets at the price's own chance that are added to every group's record: shrinks small samples
_DAY_S, _HOUR_S = 86_400.0, 3600
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Feature(NamedTuple):
    """One column of what the models read."""

    name: str
    words: Callable[[float, Mapping[str, float]], str]  # its value, and the bet's other features, for a person
    compute: Callable[[Facts], Value | Truth]  # for one bet or n bets


def _recent_win_rate(facts: Facts) -> Value:
    return (facts.past.recent_wins + PRIOR_BETS * facts.implied) / (facts.past.recent_count + PRIOR_BETS)


def _days_since_first_bet(facts: Facts) -> Value:
    if facts.past.empty:
        return 0 * facts.placed_at
    days = (facts.placed_at - facts.past.first_bet_at) // _DAY_S
    return days * (days > 0)


def _category(column: str) -> Feature:
    label = column.replace("institution_name", "sportsbook").replace("_", " ")
    return Feature(
        f"{column}_encoded",
        lambda code, _row: f"the {label}" if code == code else f"the missing {label}",  # noqa: PLR0124 - NaN
        lambda facts: facts.codes[column],
    )


_GROUP_WORDS = {
    "sport": "sport",
    "sport_market": "market",
    "sport_league": "league",
    "sport_league_market": "league and market",
    "institution_name": "sportsbook",
}


def _of_group(group: str) -> Iterator[Feature]:
    words = _GROUP_WORDS[group]

    def over(row: Mapping[str, float]) -> str:
        count = row.get(f"{group}_count")
        return "" if count is None else f" over {count:.0f} bets"

    def win_rate(facts: Facts) -> Value:
        record = facts.past.records[group]
        return (record.wins + PRIOR_BETS * facts.implied) * (1 / (record.bets + PRIOR_BETS))

    def roi(facts: Facts) -> Value:
        record = facts.past.records[group]
        return record.roi_sum * (1 / (record.bets + PRIOR_BETS))

    def edge(facts: Facts) -> Value:
        record = facts.past.records[group]
        return (record.wins - record.implied_sum) * (1 / (record.bets + PRIOR_BETS))

    yield Feature(
        f"{group}_win_rate",
        lambda value, row: f"the {words}'s past win rate of {100 * value:.1f} %{over(row)}",
        win_rate,
    )
    yield Feature(
        f"{group}_roi",
        lambda value, row: f"the {words}'s past ROI of {value:+.1f} %{over(row)}",
        roi,
    )
    yield Feature(
        f"{group}_count",
        lambda value, _row: f"the {words}'s number of past bets of {value:.0f}",
        lambda facts: facts.past.records[group].bets + facts.assumed_count,
    )
    yield Feature(
        f"{group}_edge",
        lambda value, _row: f"the {words}'s past results, {100 * value:+.1f} points against their prices,",
        edge,
    )


_ROWS = (
    *map(_category, CATEGORICAL),
    Feature(
        "implied_prob",
        lambda value, _row: f"the price's implied probability of {100 * value:.1f} %",
        lambda facts: facts.implied,
    ),
    Feature(
        "is_live",
        lambda value, _row: "betting live" if value else "betting before the start",
        lambda facts: facts.is_live,
    ),
    Feature(
        "clv_percentage",
        lambda value, _row: f"the closing line value of {value:+.1f} %",
        lambda facts: facts.clv,
    ),
    Feature(
        "clv_ev",
        lambda value, _row: f"the closing line value times implied probability of {value:+.1f}",
        lambda facts: facts.clv * facts.implied,
    ),
    Feature(
        "has_clv",
        lambda value, _row: "a known closing line" if value else "an unknown closing line",
        lambda facts: facts.has_clv,
    ),
    *(feature for group in GROUPS for feature in _of_group(group)),
    Feature(
        "recent_win_rate",
        # Unshrunk, ten results are noise that a model takes for form: served so, real models lose to having no history.
        lambda value, _row: f"the recent win rate of {100 * value:.0f} %",
        _recent_win_rate,
    ),
    Feature(
        "day_of_week",
        lambda value, _row: f"the day ({_DAYS[int(value) % 7]})",
        lambda facts: (facts.placed_at // _DAY_S + _EPOCH_WEEKDAY) % 7,
    ),
    Feature(
        "hour_of_day",
        lambda value, _row: f"the hour ({value:.0f}:00 UTC)",
        lambda facts: facts.placed_at % _DAY_S // _HOUR_S,
    ),
    Feature(
        "days_since_first_bet",
        lambda value, _row: f"the age of the history ({value:.0f} days)",
        _days_since_first_bet,
    ),
)

FEATURES: Mapping[str, Feature] = {feature.name: feature for feature in _ROWS}


def matrix_of(facts: Facts, features: Sequence[Feature], *, exact: bool = False) -> Matrix:
    """These features, shape (n, k); of one bet, (1, k). In single precision, which trees read, or `exact`."""
    values = np.array([feature.compute(facts) for feature in features], dtype=np.float64 if exact else np.float32)
    return np.ascontiguousarray(values.reshape(len(values), -1).T)

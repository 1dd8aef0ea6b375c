"""Why a bet was graded as it was: the strongest feature contributions of each model, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Contributions", "reasons", "sigmoid"]

Floats = npt.NDArray[np.float64]

_STRONGEST = 3
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Contributions:
    """SHAP values by model, shape (n, k + 1), the last column being the model's base value; None where it has none.

    `win` is in log-odds: a row's sum is the logit of the win probability. `roi` is in percent: a row's sum is the
    expected ROI. `from_price`: the base value of a row is what its price alone says.
    """

    win: Floats | None
    roi: Floats | None
    from_price: bool = False


def sigmoid(logit: Floats) -> Floats:
    """Probability (fraction) from log-odds."""
    return np.asarray(1 / (1 + np.exp(-logit)))


def reasons(contributions: Contributions, matrix: npt.NDArray[np.float32], names: tuple[str, ...]) -> list[list[str]]:
    """For each row up to three sentences per model, the strongest contribution first.

    Args:
        contributions: what each feature added.
        matrix: the feature rows, shape (n, k).
        names: the features' names, k of them.
    """
    words: list[list[str]] = [[] for _ in range(len(matrix))]
    if contributions.win is not None:
        if contributions.from_price:
            for row, base in zip(words, sigmoid(contributions.win[:, -1]).tolist(), strict=True):
                row.append(f"the price alone gives a chance to win of {100 * base:.1f} %")
        total = contributions.win.sum(axis=1, keepdims=True)
        # What the probability would lose without the one feature, in percentage points.
        points = 100 * (sigmoid(total) - sigmoid(total - contributions.win[:, :-1]))
        _add(words, points, matrix, names, "the chance to win", "points")
    if contributions.roi is not None and not contributions.from_price:  # else it would say the same a second time
        _add(words, contributions.roi[:, :-1], matrix, names, "the expected ROI", "%")
    return words


def _add(
    words: list[list[str]],
    effects: Floats,
    matrix: npt.NDArray[np.float32],
    names: tuple[str, ...],
    target: str,
    unit: str,
) -> None:
    strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :_STRONGEST]
    for row, columns in enumerate(strongest.tolist()):
        values = dict(zip(names, matrix[row].tolist(), strict=True))
        for column in columns:
            effect = float(effects[row, column])
            if abs(effect) >= 0.05:  # noqa: PLR2004 - it would be shown as 0.0
                verb = "raised" if effect > 0 else "lowered"
                words[row].append(f"{_phrase(names[column], values)} {verb} {target} by {abs(effect):.1f} {unit}")


def _phrase(name: str, values: Mapping[str, float]) -> str:
    value = values[name]
    if value != value:  # noqa: PLR0124 - NaN: the feature is missing
        return f"the missing {_label(name)}"
    return _PHRASES[name](value) if name in _PHRASES else _grouped(name, value, values)


def _grouped(name: str, value: float, values: Mapping[str, float]) -> str:
    if name.endswith("_edge"):
        group = _GROUPS.get(name.removesuffix("_edge"), name)
        return f"the {group}'s past results, {100 * value:+.1f} points against their prices,"
    for suffix, what in (
        ("_win_rate", "past win rate"),
        ("_roi", "past ROI"),
        ("_count", "number of past bets"),
    ):
        if name.endswith(suffix):
            group = name.removesuffix(suffix)
            shown = {
                "_win_rate": f"{100 * value:.1f} %",
                "_roi": f"{value:+.1f} %",
                "_count": f"{value:.0f}",
            }[suffix]
            count = values.get(f"{group}_count")
            over = f" over {count:.0f} bets" if count is not None and suffix != "_count" else ""
            return f"the {_GROUPS.get(group, group.replace('_', ' '))}'s {what} of {shown}{over}"
    return f"{_label(name)} ({value:g})"


def _label(name: str) -> str:
    return name.removesuffix("_encoded").replace("institution_name", "sportsbook").replace("_", " ")


_GROUPS = {
    "sport": "sport",
    "sport_market": "market",
    "sport_league": "league",
    "sport_league_market": "league and market",
    "institution_name": "sportsbook",
}

_PHRASES: Mapping[str, Callable[[float], str]] = {
    "sport_encoded": lambda _: "the sport",
    "league_encoded": lambda _: "the league",
    "market_encoded": lambda _: "the market",
    "institution_name_encoded": lambda _: "the sportsbook",
    "bet_type_encoded": lambda _: "the bet type",
    "implied_prob": lambda v: f"the price's implied probability of {100 * v:.1f} %",
    "is_live": lambda v: "betting live" if v else "betting before the start",
    "clv_percentage": lambda v: f"the closing line value of {v:+.1f} %",
    "clv_ev": lambda v: f"the expected value against the closing line of {v:+.1f}",
    "has_clv": lambda v: "a known closing line" if v else "an unknown closing line",
    "recent_win_rate": lambda v: f"the recent win rate of {100 * v:.0f} %",
    "day_of_week": lambda v: f"the day ({_DAYS[int(v) % 7]})",
    "hour_of_day": lambda v: f"the hour ({v:.0f}:00 UTC)",
    "days_since_first_bet": lambda v: f"the age of the history ({v:.0f} days)",
}

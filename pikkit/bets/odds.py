"""Odds arithmetic: American, decimal and fractional prices, implied probability, expected ROI, Kelly.

Every function but the parsers takes floats or NumPy arrays. American odds are written A, decimal odds D.
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

import numpy as np

from pikkit.bets.numbers import MANY, SINGLE, Numbers, Value
from pikkit.bets.shown import shown

__all__ = [
    "LEAST_AMERICAN",
    "american_to_decimal",
    "decimal_to_american",
    "expected_roi_pct",
    "implied_probability",
    "kelly_fraction",
    "parse_american",
    "parse_decimal",
    "parse_fractional",
    "plain_signs",
    "returns",
]

LEAST_AMERICAN = 100.0  # by definition; at -100 it is the same price
_EVEN_DECIMAL = 2.0
_LARGEST_PLAIN_DECIMAL = 20  # far below any American price
_EVEN = frozenset({"EVEN", "EVENS", "EV", "PK", "PICK", "PICKEM"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,30})?")
_FRACTION = re.compile(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})")
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2012": "-", "\ufe63": "-", "\uff0d": "-", "\uff0b": "+"})


def parse_american(value: float | str) -> float:
    """American odds from a number or text such as `+150`, `-110`, `EVEN`; the typographic minus is a minus.

    -100 and +100 are the same price and both come back as 100.

    Raises:
        ValueError: the value is no American price; the message says what to send instead.
    """
    number = _even_or_number(value)
    if abs(number) < LEAST_AMERICAN:
        looks_decimal = number != 0 and abs(number) < _LARGEST_PLAIN_DECIMAL
        hint = "; for decimal odds send odds_format=decimal" if looks_decimal else ""
        raise ValueError(f"{shown(value)} is not a price in American odds: send -100 or less, or 100 or more{hint}")
    return LEAST_AMERICAN if number == -LEAST_AMERICAN else number


def parse_decimal(value: float | str) -> float:
    """American odds from decimal odds (payout per unit staked, stake included): 1.91, `2.50`.

    Raises:
        ValueError: the value is not a number above 1.
    """
    number = _number(value)
    if number <= 1:
        raise ValueError(f"{shown(value)} is not a price in decimal odds: send a number above 1, such as 1.91")
    return round(decimal_to_american(number), 6)  # 1.001 is -100000, not a hair beyond it


def parse_fractional(value: float | str) -> float:
    """American odds from fractional odds (profit / stake): `10/11`, `5/2`.

    Raises:
        ValueError: the value is not two whole numbers above 0 with a slash between them.
    """
    match = _FRACTION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or not int(match[1]) or not int(match[2]):
        raise ValueError(f"{shown(value)} is not a price in fractional odds: send text such as '10/11' or '5/2'")
    return round(decimal_to_american(1 + int(match[1]) / int(match[2])), 6)


def american_to_decimal(american: Numbers) -> Numbers:
    """D = 1 + A/100 for A > 0, else 1 + 100/|A|."""
    if isinstance(american, float):  # NumPy takes ten times as long for a single number
        if american > 0:
            return 1 + american / 100
        return 1 + 100 / -american if american else math.inf
    return cast("Numbers", 1 + np.maximum(american / 100, -100 / american))


def decimal_to_american(decimal: Numbers) -> Numbers:
    """A = 100 (D - 1) for D >= 2, else -100 / (D - 1)."""
    if isinstance(decimal, float):
        return 100 * (decimal - 1) if decimal >= _EVEN_DECIMAL else -100 / (decimal - 1)
    with np.errstate(divide="ignore"):
        profit = np.subtract(decimal, 1)
        american = np.where(profit >= _EVEN_DECIMAL - 1, 100 * profit, -100 / profit)
    return cast("Numbers", american[()])


def implied_probability(american: Numbers) -> Numbers:
    """Win probability (fraction) at which the price is fair, 1 / D, with the sportsbook's vig in it."""
    return 1 / american_to_decimal(american)


def returns(probability: Numbers, decimal: Numbers) -> tuple[Numbers, Numbers]:
    """What a win probability comes to at decimal odds.

    Returns:
        Expected profit in percent of the stake: 100 (p D - 1).
        Share of the bankroll (fraction, >= 0) that maximises its expected logarithm: (p D - 1) / (D - 1); without an
        edge it is 0. Kelly (1956), "A New Interpretation of Information Rate".
    """
    gain = probability * decimal - 1
    share: Value = gain / (decimal - 1)
    kelly = (SINGLE if isinstance(share, float) else MANY).larger(share, 0.0)
    return 100 * gain, cast("Any", kelly)


def expected_roi_pct(probability: Numbers, american: Numbers) -> Numbers:
    """Expected profit in percent of the stake, as `returns` has it."""
    return returns(probability, american_to_decimal(american))[0]


def kelly_fraction(probability: Numbers, american: Numbers) -> Numbers:
    """Kelly's share of the bankroll, as `returns` has it."""
    return returns(probability, american_to_decimal(american))[1]


def plain_signs(text: str) -> str:
    """A number's text with the signs of ASCII, without outer blanks: pages write the minus in many ways."""
    return text.translate(_SIGNS).strip()


def _even_or_number(value: float | str) -> float:
    if isinstance(value, str) and value.strip().upper() in _EVEN:
        return 100.0
    return _number(value)


def _number(value: float | str) -> float:
    if isinstance(value, str):
        text = plain_signs(value)
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{shown(value)} is not a number: send odds such as -110, +150 or EVEN")
        number = float(text)
    else:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a finite number: send odds such as -110, +150 or EVEN")
    return number

"""Numbers and odds as exports write them: signs, percents, currencies, decimal commas, and which format odds are in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from pikkit.bets.odds import LEAST_AMERICAN, parse_american, parse_decimal, parse_fractional
from pikkit.errors import ModelError

__all__ = ["FORMATS", "american", "decide_format", "number", "writes_decimal_comma"]

FORMATS: Mapping[str, Callable[[str], float]] = {
    "american": parse_american,
    "decimal": parse_decimal,
    "fractional": parse_fractional,
}
_CURRENCY = str.maketrans("", "", "$€£¥% \u00a0\u202f'")
_MINUSES = str.maketrans("\u2212\u2013", "--")
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d{1,6}")
_HUGE = 1e300
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_FEW = 0.01  # share of odds that may be typing errors


def number(text: str, *, decimal_comma: bool = False) -> float | None:
    """The number in `-1,234.50`, `(5.00)`, `$12`, `12.5%`, `1,91` (with `decimal_comma`); None for what is none."""
    plain = text.translate(_MINUSES).translate(_CURRENCY)
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1]}"
    if decimal_comma:
        plain = plain.replace(".", "").replace(",", ".") if "," in plain else plain
    elif _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        found = float(plain)
    except ValueError:
        return None
    return found if abs(found) < _HUGE else None


def writes_decimal_comma(text: str) -> bool:
    """Whether the text is a number with a decimal comma, and could be none with commas between thousands."""
    plain = text.translate(_MINUSES).translate(_CURRENCY)
    return bool(_DECIMAL_COMMA.fullmatch(plain)) and not _THOUSANDS.fullmatch(plain)


def american(text: str, odds_format: str, *, decimal_comma: bool) -> float | None:
    """American odds from a price in this format; None for what is no price in it."""
    plain = text.replace(".", "").replace(",", ".") if decimal_comma and "," in text else text
    try:
        return FORMATS[odds_format](plain.strip())
    except ValueError:
        return None


def decide_format(column: str, values: Counter[str], asked: str | None, *, decimal_comma: bool) -> tuple[str, str]:
    """The format of the odds in a column, and why, in words.

    Args:
        column: its name, which may tell.
        values: what is in it, with how often.
        asked: what the caller says.
        decimal_comma: how numbers are written.

    Raises:
        ModelError: the values show none, or several.
    """
    if asked:
        if asked not in FORMATS:
            raise ModelError(f"--odds-format {asked}: give {', '.join(FORMATS)}")
        return asked, f"as asked, {asked}"
    named = next((name for name in FORMATS if name in column.casefold()), None)
    if named:
        return named, f"{named}, as the column {column!r} says"
    counts: Counter[str] = Counter()
    for text, count in values.items():
        found = number(text, decimal_comma=decimal_comma)
        if "/" in text:
            counts["fractional"] += count
        elif found is not None:
            kind = "american" if found <= -LEAST_AMERICAN else "decimal" if 1 < found < LEAST_AMERICAN else "large"
            counts[kind if found >= 1 or kind == "american" else "none"] += count
    total = sum(counts.values())
    plain = counts["american"] + counts["decimal"]
    if counts["fractional"] > (1 - _FEW) * total > 0:
        return "fractional", f"fractional: {counts['fractional']:,} of {total:,} are written with a slash"
    if counts["decimal"] and counts["american"] <= _FEW * plain:
        return (
            "decimal",
            f"decimal: {counts['decimal']:,} of {total:,} lie between 1 and 100, where no American odds lie",
        )
    if counts["decimal"] <= _FEW * plain and counts["american"] + counts["large"]:
        return "american", f"American: {counts['american'] + counts['large']:,} of {total:,} are ±100 or beyond"
    if not total:
        return "american", "American, as there are none"
    raise ModelError(
        f"the odds in {column!r} are of several formats: {counts['american']:,} are -100 or below, "
        f"{counts['decimal']:,} between 1 and 100, {counts['fractional']:,} fractions; give --odds-format "
        f"{', '.join(FORMATS)}"
    )

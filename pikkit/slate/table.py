"""What a graded slate looks like: one row an outcome, as a table, as CSV, as JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from rich.table import Table

from pikkit.bets.odds import LEAST_AMERICAN

__all__ = ["COLUMNS", "csv_of", "row_of", "table_of"]

COLUMNS = (
    *("event", "starts_at", "selection", "line", "market", "book", "price", "win", "fair", "edge", "play_to"),
    *("grade", "stake_pct", "age_s", "notes"),
)


def row_of(bet: Mapping[str, Any], prediction: Mapping[str, Any], play_to: float | None) -> dict[str, Any]:
    """One outcome: chances and edge are fractions, the stake percent of bankroll, the age that of the reference."""
    return {
        "event": bet["event"],
        "starts_at": bet["starts_at"],
        "selection": bet["selection"],
        "line": bet.get("line"),
        "market": bet["market"],
        "book": bet["institution_name"],
        "price": bet["odds"],
        "win": prediction["win_probability"],
        "fair": prediction["fair_probability"],
        "edge": prediction["edge"],
        "play_to": play_to,
        "grade": prediction["bet_grade"],
        "stake_pct": prediction["recommended_stake_pct"],
        "age_s": prediction["reference_age_s"],
        "notes": "; ".join(prediction["warnings"]),
    }


def csv_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """With a head line; text that a spreadsheet would take for a formula is quoted by an apostrophe."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(value) for name, value in row.items()})
    return text.getvalue()


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def table_of(rows: Iterable[Mapping[str, Any]]) -> Table:
    """For people."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("Event", "Selection", "Market", "Book"):
        table.add_column(name, overflow="fold")
    for name in ("Price", "Fair", "Edge", "Play to", "Grade", "Stake", "Age"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        total = row["selection"].endswith(("Over", "Under"))
        line = "" if row["line"] is None else f" {row['line']:g}" if total else f" {row['line']:+g}"
        table.add_row(
            row["event"], row["selection"] + line, row["market"], row["book"], _odds(row["price"]),
            "-" if row["fair"] is None else f"{100 * row['fair']:.1f} %", f"{100 * row['edge']:+.1f}",
            _odds(row["play_to"]), row["grade"], f"{row['stake_pct']:.2f} %",
            "-" if row["age_s"] is None else f"{row['age_s']:.0f} s",
        )  # fmt: skip
    return table


def _odds(price: float | None) -> str:
    if price is None:
        return "-"
    return f"{price:+g}" if abs(price) >= LEAST_AMERICAN else f"{price:.2f}"

"""Options by which every command that reads a file of bets is told how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from pikkit.errors import ModelError
from pikkit.exports.layout import Asked

__all__ = ["DateFormat", "Map", "OddsFormat", "Rejected", "asked_for"]

Map = Annotated[
    list[str] | None, typer.Option("--map", help="A column of the file that is one of ours", metavar="THEIRS=OURS")
]
OddsFormat = Annotated[
    Literal["american", "decimal", "fractional"] | None,
    typer.Option("--odds-format", help="Default: what the odds show"),
]
DateFormat = Annotated[
    str | None,
    typer.Option("--date-format", help="mdy, dmy, ymd or a format such as %d.%m.%Y; default: what the dates show"),
]
Rejected = Annotated[
    Path | None, typer.Option("--rejected", help="Keep there what is set aside, with the reasons", metavar="FILE")
]


def asked_for(
    mapped: Sequence[str] | None, odds_format: str | None, date_format: str | None, *, placed: bool = False
) -> Asked:
    """What the options say.

    Raises:
        ModelError: a mapping is none.
    """
    pairs = [text.partition("=") for text in mapped or ()]
    for theirs, sign, ours in pairs:
        if not (theirs and sign and ours):
            raise ModelError(
                f"--map {theirs}: give the file's name of a column and ours, such as --map 'Bet Odds=odds'"
            )
    return Asked({theirs.strip(): ours.strip() for theirs, _, ours in pairs}, odds_format, date_format, placed)

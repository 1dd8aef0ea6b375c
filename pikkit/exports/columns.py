"""Which column of an export is which: by name, in the spellings that exports have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from pikkit.errors import ModelError

__all__ = ["OURS", "find_columns"]

# Ours to the names seen in exports, folded; the first that is there is read.
OURS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "bet_id", "ticket_id", "ticket", "bet_number"),
    "sport": ("sport", "sports"),
    "league": ("league", "leagues", "competition", "tournament"),
    "market": ("market", "market_type", "bet_market"),
    "institution_name": ("institution_name", "sportsbook", "book", "bookmaker", "bookie"),
    "bet_type": ("bet_type", "type", "wager_type"),
    "odds": ("american_odds", "odds_american", "decimal_odds", "odds_decimal", "odds", "price"),
    "result": ("is_win", "won", "win", "result", "status", "outcome", "bet_result"),
    "roi": ("roi", "roi_pct", "roi_percent"),
    "profit": ("profit", "profit_loss", "pnl", "p_l", "net", "net_profit"),
    "stake": ("stake", "amount", "wager", "risk", "bet_amount", "stake_amount"),
    "clv": ("clv_percentage", "clv", "clv_pct", "clv_percent"),
    "closing": ("closing_line", "closing_odds", "closing_price"),
    "live": ("is_live", "live", "in_play"),
    "tags": ("tags",),
    "settled_at": ("settled_at", "time_settled_iso", "time_settled", "date_settled", "settled_date"),
    "created_at": ("created_at",),
    "placed_at": (
        *("placed_at", "time_placed_iso", "time_placed", "date_placed", "placed_date", "bet_date", "date_bet_placed"),
        *("date", "date_time", "datetime", "timestamp", "time"),
    ),
    "info": ("bet_info", "selection", "pick", "pick_name", "description", "bet"),
}


def find_columns(names: Sequence[str], mapped: Mapping[str, str]) -> dict[str, int]:
    """Our names to positions.

    Args:
        names: the header.
        mapped: the header's names to ours, which outrank what is known here.

    Raises:
        ModelError: `mapped` names a column that is not there, or none of ours; a name is there twice.
    """
    folded = [_folded(name) for name in names]
    found: dict[str, int] = {}
    for theirs, ours in mapped.items():
        if ours not in OURS:
            raise ModelError(f"--map {theirs}={ours}: {ours!r} is none of {', '.join(OURS)}")
        if _folded(theirs) not in folded:
            close = difflib.get_close_matches(_folded(theirs), folded, n=1)
            hint = f": did you mean {names[folded.index(close[0])]!r}?" if close else f"; there are {_listed(names)}"
            raise ModelError(f"--map {theirs}={ours}: there is no column {theirs!r}{hint}")
        found[ours] = folded.index(_folded(theirs))
    for ours, known in OURS.items():
        place = next((folded.index(name) for name in known if name in folded), None)
        if place is not None and ours not in found and place not in found.values():
            found[ours] = place
    for place in found.values():
        if folded.count(folded[place]) > 1:
            raise ModelError(f"the column {names[place]!r} is there twice: rename one, or leave it out")
    return found


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().casefold()).strip("_")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)[:300]

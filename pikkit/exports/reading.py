"""One row of an export to what a bet has, in our words and units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pikkit.bets.odds import american_to_decimal
from pikkit.bets.times import utc_text
from pikkit.exports.layout import Layout
from pikkit.exports.markets import OTHER, PARLAY, legs_of, market_of
from pikkit.exports.prices import american, number
from pikkit.exports.results import WON, result

__all__ = ["TEXTS", "RowReader"]

TEXTS = ("sport", "league", "market", "institution_name", "bet_type")
_NAN = float("nan")
_REMEMBERED = 100_000
_NOTHING = frozenset({"none", "null", "nan", "n/a", "undefined"})


class RowReader:
    """Reads rows of one layout. What occurs again and again (names, odds) is read once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._memos: dict[str, dict[str, Any]] = {}
        self._unknown_markets = 0
        self._bets = 0

    def memo(self, what: str, text: str, read: Callable[[str], Any]) -> Any:
        """`read(text)`, remembered."""
        known = self._memos.setdefault(what, {})
        if text not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[text] = read(text)
        return known[text]

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Sport, league, market, sportsbook and bet type.

        Where a tracker has free text instead of a market, and lists of sports and leagues, a bet of several legs is a
        parlay without a league.
        """
        cell, places = self._layout.cell, self._layout.places
        texts = {name: self.memo(name, cell(cells, name), _name) for name in TEXTS}
        texts["bet_type"] = texts["bet_type"] or "straight"
        if "market" not in places:
            self._bets += 1
            text = cell(cells, "info")
            legs = legs_of(text)
            if len(legs) > 1 or texts["bet_type"].casefold() == "parlay":
                return texts | {"sport": PARLAY, "league": "", "market": PARLAY, "bet_type": "parlay"}
            texts["market"] = market_of(text, texts["sport"])
            self._unknown_markets += texts["market"] == OTHER
        return texts

    def outcome(self, cells: Sequence[str]) -> str:
        """What became of it, as `result` has it."""
        return str(self.memo("result", self._layout.cell(cells, "result"), result))

    def odds(self, cells: Sequence[str]) -> float | None:
        """American odds."""
        return self._price(cells, "odds")

    def time(self, cells: Sequence[str]) -> float | None:
        """Seconds since the epoch, of the first column that tells."""
        for name in self._layout.moments:
            text = self._layout.cell(cells, name)
            if text:
                return self._layout.times.parse(text)
        return None

    def number(self, cells: Sequence[str], ours: str) -> float | None:
        """A plain number."""
        text = self._layout.cell(cells, ours)
        return number(text, decimal_comma=self._layout.decimal_comma) if text else None

    def roi(self, cells: Sequence[str]) -> float | None:
        """Profit over stake in percent; None where either is not told, or nothing was staked."""
        profit, stake = self.number(cells, "profit"), self.number(cells, "stake")
        return 100 * profit / abs(stake) if profit is not None and stake else None

    def clv(self, cells: Sequence[str], odds: float) -> float:
        """Closing line value in percent: told, or by how much the price is above the closing one; NaN: not known."""
        if "clv" in self._layout.places:
            told = self.number(cells, "clv")
            return _NAN if told is None else told
        closing = self._price(cells, "closing")
        return _NAN if closing is None else 100 * (american_to_decimal(odds) / american_to_decimal(closing) - 1)

    def live(self, cells: Sequence[str]) -> bool:
        """Whether it was placed while the event ran: a column, or the tag `live`."""
        cell = self._layout.cell
        if "live" in self._layout.places:
            return bool(self.memo("live", cell(cells, "live"), result) == WON)
        return "live" in cell(cells, "tags").casefold().replace(",", " ").replace("|", " ").split()

    def as_bet(self, cells: Sequence[str]) -> Mapping[str, Any]:
        """The row as the fields of a bet that is asked about; what is not there is left out."""
        texts = self.texts(cells)
        given: dict[str, Any] = {name: value for name, value in texts.items() if value}
        odds, clv = self.odds(cells), self.number(cells, "clv")
        written = self._layout.cell(cells, "odds")
        placed = self.time(cells)
        if odds is not None:
            given["odds"] = odds
        elif written:  # the bet's own reader says what is wrong with it
            given |= {"odds": written, "odds_format": self._layout.odds_format}
        if clv is not None:
            given["clv_percentage"] = clv
        if placed is not None:
            given["placed_at"] = utc_text(placed, "auto")
        given["is_live"] = self.live(cells)
        return given

    def evidence(self) -> Iterator[str]:
        """What is not as it would be with columns of our own."""
        if self._bets:
            known = self._bets - self._unknown_markets
            column = self._layout.names[self._layout.places["info"]]
            others = f"{OTHER!r} for {self._unknown_markets:,} whose text has none"
            yield f"markets: read from {column} for {known:,} bets; {others}"

    def _price(self, cells: Sequence[str], ours: str) -> float | None:
        text = self._layout.cell(cells, ours)
        layout = self._layout
        found: float | None = self.memo(
            ours, text, lambda text: american(text, layout.odds_format, decimal_comma=layout.decimal_comma)
        )
        return found


def _name(text: str) -> str:
    return "" if text.casefold() in _NOTHING else text

"""The outcomes of a slate as bets, and their grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.prediction import play_to
from pikkit.bets.prices import MAX_BOOKS, BookPrices
from pikkit.bets.reading import read_bets
from pikkit.errors import InvalidBet
from pikkit.grading.predictor import Models, Predictor
from pikkit.slate.table import row_of

__all__ = ["graded", "read_shared"]

_PART = 500  # bets graded together
_market_of = itemgetter("event", "market", "institution_name")


def read_shared(bets: Sequence[dict[str, Any]], limits: OddsLimits) -> list[Bet | InvalidBet]:
    """What `read_bets` makes of them; a book's prices that stand beside many bets are checked once."""
    books = {id(book): book for bet in bets for book in bet.get("reference_prices", ())}
    checked = _checked(list(books.values()), bets[0], limits) if books else []
    if checked is None:  # each bet is told what is wrong with it
        return read_bets(list(bets), limits)
    known = dict(zip(books, checked, strict=True))
    read = read_bets([{name: bet[name] for name in bet if name != "reference_prices"} for bet in bets], limits)
    return [
        bet.model_copy(update={"reference_prices": tuple(known[id(book)] for book in sent["reference_prices"])})
        if isinstance(bet, Bet) and "reference_prices" in sent
        else bet
        for bet, sent in zip(read, bets, strict=True)
    ]


def _checked(books: Sequence[object], bet: Mapping[str, Any], limits: OddsLimits) -> list[BookPrices] | None:
    """The books' prices as they stand in a bet; None where one of them is refused."""
    beside = {name: value for name, value in bet.items() if name != "market_prices"}
    parts = [books[start : start + MAX_BOOKS] for start in range(0, len(books), MAX_BOOKS)]
    found: list[BookPrices] = []
    for read in read_bets([{**beside, "reference_prices": part} for part in parts], limits):
        if isinstance(read, InvalidBet):
            return None
        found += read.reference_prices or ()
    return found


def graded(
    sent: Sequence[Mapping[str, Any]],
    read: Sequence[Bet | InvalidBet],
    models: Models,
    predictor: Predictor,
    now: float,
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Rows, the best edge first, and how many bets were refused, by reason."""
    errors = Counter(bet.message for bet in read if isinstance(bet, InvalidBet))
    good = [(raw, bet) for raw, bet in zip(sent, read, strict=True) if isinstance(bet, Bet)]
    rows: list[dict[str, Any]] = []
    end = 0
    while end < len(good):
        start, end = end, end + _PART
        while end < len(good) and _market_of(good[end - 1][0]) == _market_of(good[end][0]):
            end += 1  # its sides are graded together
        part = good[start:end]
        predictions = predictor.predict(models, [bet for _, bet in part], now)
        rows += [
            row_of(raw, prediction, play_to(prediction, bet.odds))
            for (raw, bet), prediction in zip(part, predictions, strict=True)
        ]
    rows.sort(key=lambda row: -row["edge"])
    return rows, errors

"""What market evidence is worth on real prices: log loss against the raw price, and returns by grade."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pikkit.bets.bet import Bet
from pikkit.bets.numbers import Bools, Floats
from pikkit.bets.odds import american_to_decimal
from pikkit.bets.prediction import GRADES
from pikkit.bets.reading import read_bets
from pikkit.errors import InvalidBet, ModelError
from pikkit.files import why
from pikkit.grading.figures import Models
from pikkit.grading.predictor import Predictor
from training.judging.measures import Interval, log_losses

__all__ = ["PriceReport", "moneyline_reports", "soccer_reports"]

_SIDES = ("home", "draw", "away")
_SHOP = "bet365"
_SHARP = "pinnacle"
_BATCH = 100
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class PriceReport:
    """Selections of whole events, as they were graded. Resampled are events, as their sides hang together."""

    name: str
    event: Floats  # number of the event
    decimal: Floats
    won: Bools
    fair: Floats
    letters: Floats  # index into GRADES

    def against_price(self) -> Interval:
        """Log loss of the fair probability above that of the raw price; below 0 is better."""
        return self._resampled(log_losses(self.fair, self.won) - log_losses(1 / self.decimal, self.won))

    def returns(self) -> Iterator[tuple[str, int, Interval]]:
        """Per grade: selections, and the mean return (percent) of one unit on each."""
        for i, letter in enumerate(GRADES):
            mine = self.letters == i
            yield letter, int(mine.sum()), self._resampled(np.where(mine, self._profit_pct(), np.nan))

    def better_than(self, better: Sequence[str], worse: Sequence[str]) -> Interval:
        """Return (points) of some grades above that of others."""
        profit = self._profit_pct()

        def of(letters: Sequence[str]) -> Floats:
            return np.where(np.isin(self.letters, [GRADES.index(letter) for letter in letters]), profit, np.nan)

        return self._resampled(of(better), of(worse))

    def inverted(self) -> list[str]:
        """Adjacent pairs of grades of which the worse one returned more, at 95 %."""
        pairs = itertools.pairwise(GRADES)
        return [f"{one}-{other}" for one, other in pairs if self.better_than([one], [other]).high < 0]

    def _profit_pct(self) -> Floats:
        return np.where(self.won, 100 * (self.decimal - 1), -100.0)

    def _resampled(self, values: Floats, less: Floats | None = None) -> Interval:
        """Mean of values, NaN left out, less the mean of others; 95 % percentile interval over events."""
        parts = [self._by_event(column) for column in ([values] if less is None else [values, less])]
        draw = np.random.default_rng(0)
        events = len(parts[0][0])
        means = []
        for _ in range(_RESAMPLES):
            counts = np.bincount(draw.integers(0, events, events), minlength=events)
            means.append(_difference([(float(total @ counts), float(n @ counts)) for total, n in parts]))
        low, high = np.nanquantile(means, [0.025, 0.975]) if not np.isnan(means).all() else (np.nan, np.nan)
        whole = _difference([(float(total.sum()), float(n.sum())) for total, n in parts])
        return Interval(whole, float(low), float(high))

    def _by_event(self, values: Floats) -> tuple[Floats, Floats]:
        known = ~np.isnan(values)
        event = self.event.astype(np.intp)
        sums, counts = np.bincount(event, np.where(known, values, 0.0)), np.bincount(event, known.astype(np.float64))
        return np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)


def _difference(parts: Sequence[tuple[float, float]]) -> float:
    means = [total / n if n else float("nan") for total, n in parts]
    return means[0] if len(means) == 1 else means[0] - means[1]


def soccer_reports(path: Path, models: Models, predictor: Predictor, *, now: float) -> Iterator[PriceReport]:
    """Three-way matches: every selection at one sportsbook with its own market, then with a sharp one's beside it."""
    rows = _rows(path, ("result", *(f"{book}_{side}" for book in (_SHOP, _SHARP) for side in _SIDES)))
    whole = [row for row in rows if all(row[f"{book}_{side}"] for book in (_SHOP, _SHARP) for side in _SIDES)]
    for name, book in (("soccer, own market", None), ("soccer, Pinnacle as reference", _SHARP)):
        bets = [
            _bet("Soccer", "Moneyline", row, side, {s: row[f"{_SHOP}_{s}"] for s in _SIDES}, "decimal")
            | ({} if book is None else _reference({s: row[f"{book}_{s}"] for s in _SIDES}))
            for row in whole
            for side in _SIDES
        ]
        won = [row["result"] == side for row in whole for side in _SIDES]
        yield _graded(name, bets, won, len(_SIDES), models, predictor, now)


def moneyline_reports(path: Path, models: Models, predictor: Predictor, *, now: float) -> Iterator[PriceReport]:
    """Two-way games by league and time of the price, each with its own market."""
    rows = [
        row for row in _rows(path, ("league", "home_score", "away_score")) if row["home_score"] != row["away_score"]
    ]
    sports = {"MLB": "Baseball", "NBA": "Basketball"}
    for league in dict.fromkeys(row["league"] for row in rows):
        for moment in ("open", "close"):
            sides = ("home", "away")
            mine = [row for row in rows if row["league"] == league and all(row[f"{moment}_{side}"] for side in sides)]
            if mine:
                bets = [
                    _bet(sports.get(league, league), "Moneyline", row, side, {s: row[f"{moment}_{s}"] for s in sides})
                    for row in mine
                    for side in sides
                ]
                won = [
                    (float(row["home_score"]) > float(row["away_score"])) == (s == "home")
                    for row in mine
                    for s in sides
                ]
                yield _graded(f"{league} {moment}, own market", bets, won, len(sides), models, predictor, now)


def _bet(
    sport: str, market: str, row: Mapping[str, str], side: str, prices: Mapping[str, str], odds_format: str = "american"
) -> dict[str, object]:
    return {
        "sport": sport,
        "league": row["league"],
        "market": market,
        "institution_name": _SHOP,
        "odds_format": odds_format,
        "odds": float(prices[side]),
        "selection": side,
        "market_prices": _prices(prices),
    }


def _reference(prices: Mapping[str, str]) -> dict[str, object]:
    return {"reference_prices": [{"book": _SHARP, "prices": _prices(prices)}]}


def _prices(prices: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"selection": side, "odds": float(price)} for side, price in prices.items()]


def _graded(
    name: str, raw: Sequence[object], won: Sequence[bool], sides: int, models: Models, predictor: Predictor, now: float
) -> PriceReport:
    """Events all of whose selections could be graded with a fair probability."""
    bets = read_bets(list(raw))
    events = [bets[i : i + sides] for i in range(0, len(bets), sides)]
    good = [i for i, event in enumerate(events) if not any(isinstance(bet, InvalidBet) for bet in event)]
    chosen = [bet for i in good for bet in events[i] if isinstance(bet, Bet)]
    results = np.array(won, dtype=np.bool_).reshape(-1, sides)[good].ravel()
    predictions = [
        prediction
        for i in range(0, len(chosen), _BATCH)
        for prediction in predictor.predict(models, chosen[i : i + _BATCH], now)
    ]
    fair = np.array([prediction["fair_probability"] for prediction in predictions], dtype=np.float64)
    whole = np.repeat(~np.isnan(fair.reshape(-1, sides)).any(axis=1), sides)
    return PriceReport(
        name,
        np.repeat(np.arange(whole.sum() // sides), sides).astype(np.float64),
        np.asarray(american_to_decimal(np.array([bet.odds for bet in chosen])))[whole],
        results[whole],
        fair[whole],
        np.array([GRADES.index(prediction["bet_grade"]) for prediction in predictions], dtype=np.float64)[whole],
    )


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError) as cause:
        raise ModelError(
            f"{path} can't be read as prices ({why(cause)}): name a CSV file, also compressed by gzip"
        ) from cause
    missing = [name for name in needed if not rows or name not in rows[0]]
    if missing:
        raise ModelError(f"{path} has no column {', '.join(missing)}")
    return rows

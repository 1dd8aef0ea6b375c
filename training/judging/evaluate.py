"""Judging a model set on settled bets, next to the sportsbook's own odds and to another set."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pikkit.bets.columns import BetColumns
from pikkit.bets.numbers import Bools, Floats
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import GRADES
from pikkit.bets.times import utc_text
from pikkit.features.rows import build_rows
from pikkit.grading.decision import Rules
from pikkit.grading.settled import settled_figures
from pikkit.history.history import HistoryColumns, SettledBets, as_of
from pikkit.models.model_set import ModelSet
from training.judging.measures import Interval, Scores, bootstrap_mean, ece, log_losses, scores
from training.settled.imports import imports_of

__all__ = ["Gate", "Judged", "Verdict", "gates", "judge", "newest", "slices"]


MAX_ECE = 0.03
MAX_BATCH_MS = 10.0  # for 100 bets, an order of magnitude above what is measured
_LEAST_SPREAD = 1e-3
_LEAST_SLICE = 100
_BANDS = ((0.0, 0.25), (0.25, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.75), (0.75, 1.0))


@dataclass(frozen=True, slots=True)
class Judged:
    """What a set says of n bets whose results are known."""

    bets: BetColumns
    probability: Floats
    implied: Floats
    won: Bools
    roi_pct: Floats
    letters: npt.NDArray[np.intp]  # index into GRADES
    batch_ms: float

    def losses_against(self, other: Floats) -> Interval:
        """Mean log loss above that of other predictions, with its interval; below 0 is better."""
        return bootstrap_mean(log_losses(self.probability, self.won) - log_losses(other, self.won))

    def returns(self) -> Iterator[tuple[str, int, Interval]]:
        """Per grade: bets, and the mean return (percent) of one unit on each."""
        for i, letter in enumerate(GRADES):
            mine = self.letters == i
            yield letter, int(mine.sum()), bootstrap_mean(self.roi_pct[mine])


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition for shipping a set."""

    name: str
    passed: bool
    found: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All gates of a set."""

    gates: Sequence[Gate]

    @property
    def passed(self) -> bool:
        """Whether all are."""
        return all(gate.passed for gate in self.gates)


def newest(models: ModelSet, settled: SettledBets, share: float) -> tuple[SettledBets, HistoryColumns, str]:
    """The bets to judge by, what was known before each, and in words which they are.

    Bets that all came after the set's own history are judged as they would be served. Otherwise the past of each is
    taken from the bets themselves, strictly earlier ones only, and judged are those after the set's training time,
    or the newest `share` where it does not tell.
    """
    times = settled.bets.placed_at
    if models.history.size and len(times) and times[0] > models.history.last_bet_at:
        return settled, models.history.lookup(settled.bets), "all bets, which came after the set's history"
    past = as_of(settled)
    until = models.trained_until
    start = int(len(times) * (1 - share))
    words = f"the newest {100 * share:g} % of the bets"
    if until is not None:
        after = int(np.searchsorted(times, until, side="right"))
        if after < len(times):
            start, words = after, f"bets after {utc_text(until, 'seconds')}, to which the set was trained"
            if imports_of(times):
                words = "bets of other imports than the set was trained on"
    picked = np.arange(start, len(times))
    return settled.take(picked), past.take(picked), words


def judge(models: ModelSet, settled: SettledBets, past: HistoryColumns, rules: Rules) -> Judged:
    """Grade settled bets as they would be served; probabilities are the set's own, to judge it by them."""
    found, _ = settled_figures(models, settled.bets, past, rules)
    first = np.arange(min(len(settled), 100))
    return Judged(
        settled.bets,
        np.asarray(found.model_probability),
        implied_probability(settled.bets.odds),
        settled.won,
        settled.roi_pct,
        np.asarray(found.grade),
        _batch_ms(models, settled.take(first), past.take(first)),
    )


def gates(judged: Judged, production: Judged | None = None) -> Verdict:
    """Whether the set may be shipped: beyond noise, it must not be worse than the odds or than production."""
    found = [_not_worse("not worse than the odds", judged.losses_against(judged.implied))]
    if production is not None:
        found.append(_not_worse("not worse than production", judged.losses_against(production.probability)))
    straight = np.array([kind == "straight" for kind in judged.bets.bet_type])
    p, won = judged.probability[straight], judged.won[straight]
    gap, chance = ece(p, won), _ece_by_chance(p)
    found.append(
        Gate(
            "calibrated",
            gap <= max(MAX_ECE, chance),
            f"ECE {gap:.4f} on {len(p):,} straight bets (bound {MAX_ECE:g}; {chance:.4f} is reached by chance)",
        )
    )
    spread = float(judged.probability.std())
    found.append(Gate("not constant", spread > _LEAST_SPREAD, f"probabilities spread by {spread:.4f}"))
    found.append(
        Gate(
            "fast",
            judged.batch_ms <= MAX_BATCH_MS,
            f"{judged.batch_ms:.2f} ms for 100 bets (bound {MAX_BATCH_MS:g})",
        )
    )
    return Verdict(found)


def slices(judged: Judged, production: Judged | None = None) -> Iterator[tuple[str, list[Scores]]]:
    """Scores of the set, of the odds and of production: on all bets, and each band, sport and book with enough."""
    predictions = [judged.probability, judged.implied, *([production.probability] if production else [])]
    parts: list[tuple[str, Bools]] = [("all", np.ones(len(judged.won), dtype=np.bool_))]
    parts += [
        (f"implied {100 * low:g}-{100 * high:g} %", (judged.implied >= low) & (judged.implied < high))
        for low, high in _BANDS
    ]
    for column in ("bet_type", "sport", "institution_name"):
        values = np.array(getattr(judged.bets, column))
        parts += [
            (f"{column.replace('institution_name', 'book')} {name}", values == name) for name in np.unique(values)
        ]
    for name, mine in parts:
        if name == "all" or mine.sum() >= _LEAST_SLICE:
            yield name, [scores(p[mine], judged.won[mine]) for p in predictions]


def _not_worse(name: str, difference: Interval) -> Gate:
    return Gate(
        name,
        difference.low <= 0,
        f"log loss {difference.mean:+.5f} [{difference.low:+.5f}, {difference.high:+.5f}]",
    )


def _ece_by_chance(p: Floats) -> float:
    """The error that perfectly calibrated predictions would show in 19 of 20 samples of this size."""
    draw = np.random.default_rng(0)
    return float(np.quantile([ece(p, draw.random(len(p)) < p) for _ in range(200)], 0.95))


def _batch_ms(models: ModelSet, settled: SettledBets, past: HistoryColumns) -> float:
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        matrix = build_rows(settled.bets, past, models.spec).matrix
        models.roi(matrix, models.win_probability(matrix), settled.bets.odds)
        times.append(time.perf_counter() - begin)
    return 1000 * float(np.median(times))

"""Drift: how far live traffic is from the data that a model set was trained on.

Population stability index over the bins of a baseline: PSI = sum of (live - trained) * ln(live / trained), with
shares floored at 1e-4. Below 0.1 is noise, above 0.25 a shift. Missing values are a bin of their own.
Siddiqi, Credit Risk Scorecards (2006), is the usual source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.numbers import Floats, Ints
from pikkit.bets.prediction import GRADES
from pikkit.errors import ModelError

__all__ = ["OUTPUTS", "Baseline", "Counts", "drift_report", "psi"]

OUTPUTS = ("win_probability", "expected_roi")
MIN_BETS = 500  # below, PSI says more about the sample than about the traffic: its expectation is bins / bets

_BINS = 10
_FLOOR = 1e-4
_NOISE, _SHIFT = 0.1, 0.25


def psi(trained: Floats, live: Floats) -> float:
    """Population stability index of two distributions over the same bins (shares; each sums to 1)."""
    p, q = np.maximum(trained, _FLOOR), np.maximum(live, _FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


@dataclass(frozen=True, slots=True)
class Baseline:
    """What training saw: per feature and output the inner bin edges and the share of each bin, the last: missing.

    A value equal to an edge belongs to the bin above it.
    """

    bets: int
    edges: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, tuple[float, ...]]
    grades: Mapping[str, float]
    unknown: Mapping[str, float]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        matrix: npt.NDArray[np.floating],
        outputs: Mapping[str, Floats],
        grades: Sequence[str],
        unknown: npt.NDArray[np.bool_],
    ) -> Self:
        """Measure the training data.

        Args:
            names: feature names, one per column of `matrix`.
            matrix: feature rows, NaN where missing.
            outputs: OUTPUTS of the finished models on the same rows (better: on held-out rows).
            grades: their grades.
            unknown: per row and column of CATEGORICAL, whether the value was unknown.
        """
        columns = {name: matrix[:, i].astype(np.float64) for i, name in enumerate(names)} | dict(outputs)
        edges = {name: _edges(values) for name, values in columns.items()}
        n = len(matrix)
        shares = {
            name: tuple((np.bincount(_bins(values, edges[name]), minlength=len(edges[name]) + 2) / n).tolist())
            for name, values in columns.items()
        }
        return cls(
            bets=n,
            edges=edges,
            shares=shares,
            grades={grade: grades.count(grade) / n for grade in GRADES},
            unknown=dict(zip(CATEGORICAL, unknown.mean(axis=0).tolist(), strict=True)),
        )

    def to_json(self) -> dict[str, Any]:
        """As it stands under `baseline` in a model set's metadata."""
        return {
            "bets": self.bets,
            "columns": {
                name: {"edges": list(edges), "shares": [round(share, 6) for share in self.shares[name]]}
                for name, edges in self.edges.items()
            },
            "grades": dict(self.grades),
            "unknown": dict(self.unknown),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The baseline of `to_json`.

        Raises:
            ModelError: it has another shape.
        """
        try:
            columns = data["columns"]
            found = cls(
                bets=int(data["bets"]),
                edges={name: tuple(map(float, column["edges"])) for name, column in columns.items()},
                shares={name: tuple(map(float, column["shares"])) for name, column in columns.items()},
                grades={grade: float(data["grades"].get(grade, 0)) for grade in GRADES},
                unknown={column: float(data["unknown"].get(column, 0)) for column in CATEGORICAL},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as cause:
            raise ModelError(f"the drift baseline can't be read ({cause!r}): train the set again") from cause
        for name, edges in found.edges.items():
            if len(found.shares[name]) != len(edges) + 2 or list(edges) != sorted(set(edges)):
                raise ModelError(f"the drift baseline of {name} has edges and shares that do not fit: train again")
        return found


class Counts:
    """How many live bets fell into each bin of a baseline; all counts add up over hours and workers."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self.bets = 0
        self.columns: dict[str, Ints] = {
            name: np.zeros(len(shares), dtype=np.int64) for name, shares in baseline.shares.items()
        }
        self.grades = np.zeros(len(GRADES), dtype=np.int64)
        self.unknown = np.zeros(len(CATEGORICAL), dtype=np.int64)

    def add(
        self,
        columns: Mapping[str, npt.NDArray[Any]],
        grades: Sequence[str],
        unknown: npt.NDArray[np.bool_],
    ) -> None:
        """Count bets: values by column name (others than the baseline's are left out), grades, unknowns."""
        self.bets += len(grades)
        for name in self.columns.keys() & columns.keys():
            bins = _bins(np.asarray(columns[name], dtype=np.float64), self._baseline.edges[name])
            self.columns[name] += np.bincount(bins, minlength=len(self.columns[name]))
        for i, grade in enumerate(GRADES):
            self.grades[i] += sum(given == grade for given in grades)
        self.unknown += unknown.sum(axis=0)

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another's `to_json`; columns of another baseline are left out."""
        self.bets += int(other["bets"])
        self.grades += np.asarray(other["grades"], dtype=np.int64)
        self.unknown += np.asarray(other["unknown"], dtype=np.int64)
        for name in self.columns:
            added = np.asarray(other["columns"].get(name, ()), dtype=np.int64)
            if added.shape == self.columns[name].shape:
                self.columns[name] += added

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "bets": self.bets,
            "grades": self.grades.tolist(),
            "unknown": self.unknown.tolist(),
            "columns": {name: counts.tolist() for name, counts in self.columns.items()},
        }

    def psi(self) -> dict[str, float]:
        """PSI by column, and of the grades under `grade`; empty below MIN_BETS."""
        if self.bets < MIN_BETS:
            return {}
        found = {
            name: psi(np.array(self._baseline.shares[name]), counts / counts.sum())
            for name, counts in self.columns.items()
            if counts.sum()
        }
        found["grade"] = psi(np.array([self._baseline.grades[grade] for grade in GRADES]), self.grades / self.bets)
        return found


def drift_report(baseline: Baseline, live: Counts, *, hours: float) -> dict[str, Any]:
    """Body of /api/v1/drift-report: live traffic of the last `hours` against the baseline, the worst first."""
    scores = live.psi()
    n = max(live.bets, 1)
    return {
        "status": _verdict(max(scores.values(), default=0.0)) if scores else "too_few_bets",
        "bets": live.bets,
        "bets_needed": MIN_BETS,
        "window_hours": hours,
        "baseline_bets": baseline.bets,
        "psi": {name: round(score, 4) for name, score in sorted(scores.items(), key=lambda item: -item[1])},
        "columns": {
            name: {
                "edges": list(baseline.edges[name]),
                "trained": list(baseline.shares[name]),
                "live": (counts / max(counts.sum(), 1)).round(6).tolist(),
                "status": _verdict(scores[name]) if name in scores else "too_few_bets",
            }
            for name, counts in live.columns.items()
        },
        "grades": {
            grade: {"trained": round(baseline.grades[grade], 6), "live": round(count / n, 6)}
            for grade, count in zip(GRADES, live.grades.tolist(), strict=True)
        },
        "unknown": {
            column: {"trained": round(baseline.unknown[column], 6), "live": round(count / n, 6)}
            for column, count in zip(CATEGORICAL, live.unknown.tolist(), strict=True)
        },
    }


def _verdict(score: float) -> str:
    return "drifted" if score > _SHIFT else "noticeable" if score > _NOISE else "stable"


def _edges(values: Floats) -> tuple[float, ...]:
    known = values[~np.isnan(values)]
    if not known.size:
        return ()
    distinct = np.unique(known)
    if distinct.size <= _BINS:  # codes and flags: a bin each
        return tuple(((distinct[1:] + distinct[:-1]) / 2).tolist())
    return tuple(np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)).tolist())


def _bins(values: Floats, edges: Sequence[float]) -> npt.NDArray[np.intp]:
    bins = np.searchsorted(np.asarray(edges), values, side="right")
    bins[np.isnan(values)] = len(edges) + 1
    return bins

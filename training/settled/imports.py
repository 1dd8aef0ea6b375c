"""Times that are those of imports: exports that tell when a bet was copied into a tracker, not when it was made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Floats, Ints

__all__ = ["Imports", "imports_of"]

_SPAN_S = 48 * 3600.0  # nobody makes a thousand bets in two days
_LEAST = 1000
_GAP_S = 60.0


@dataclass(frozen=True, slots=True)
class Imports:
    """`starts`: positions of the first bet of each block, an import each; `hours`: within which all lie."""

    starts: Ints
    hours: float

    def words(self, bets: int) -> str:
        """One line for people."""
        return (
            f"all {bets:,} bets lie within {self.hours:.0f} h, in {len(self.starts):,} blocks: these are times of "
            "imports, so 'later' means other imports, not later bets; export settled_at for a split by time"
        )


def imports_of(times: Floats) -> Imports | None:
    """The imports behind the times (seconds, ascending), None where they are times of bets."""
    if len(times) < _LEAST or times[-1] - times[0] > _SPAN_S:
        return None
    starts = np.concatenate([[0], np.flatnonzero(np.diff(times) > _GAP_S) + 1]).astype(np.int64)
    return Imports(starts, float(times[-1] - times[0]) / 3600)

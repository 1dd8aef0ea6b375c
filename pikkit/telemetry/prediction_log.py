"""Prediction log: every prediction as one JSON line, so that it can be judged when the bet is settled.

Each worker writes segments of its own under DATA_DIR/predictions, so no two processes share a file. A segment is
closed at 16 MiB or at the end of the day (UTC); the oldest are removed when all together exceed the limit. Nothing
personal is written: no request id, no client_ref, no address (one on a sportsbook's page may hold a session).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json, to_json

from pikkit.bets.times import utc_text
from pikkit.settings import Settings
from pikkit.telemetry.recorder import Graded

__all__ = ["PredictionLog", "read_predictions"]

_SEGMENT_BYTES = 16 * 1024 * 1024
_TOTAL_BYTES = 1024 * 1024 * 1024
_FIELDS = (
    "win_probability",
    "expected_roi",
    "kelly_fraction",
    "recommended_stake_pct",
    "confidence",
    "bet_grade",
    "implied_probability",
    "sample_size",
    "model_probability",
    "fair_probability",
    "fair_method",
)
_LEFT_OUT = {"client_ref", "odds_format", "url"}
_SUFFIX = ".jsonl"


class PredictionLog:
    """A sink of the recorder. `settings.prediction_log` decides whether there is one at all."""

    def __init__(
        self, settings: Settings, *, segment_bytes: int = _SEGMENT_BYTES, total_bytes: int = _TOTAL_BYTES
    ) -> None:
        self._folder = settings.data_dir / "predictions"
        self._slot = settings.deployment
        self._version = settings.app_version
        self._segment_bytes = segment_bytes
        self._total_bytes = total_bytes
        self._file: BinaryIO | None = None
        self._day = ""
        self._is_torn = False

    def wants(self, bets: int, now: float) -> bool:
        """Every one."""
        del now
        return bets > 0

    def take(self, graded: Graded) -> None:
        """Write one line per bet."""
        common = {
            "model_version": graded.models.version,
            "sha256": graded.models.sha256,
            "slot": self._slot,
            "app_version": self._version,
        }
        lines = bytearray()
        predictions: Sequence[Mapping[str, object]] = graded.predictions
        for i, (bet, prediction, at) in enumerate(zip(graded.bets, predictions, graded.times, strict=True)):
            line = {
                "at": utc_text(at),
                **common,
                "bet": bet.model_dump(
                    mode="json", exclude={**dict.fromkeys(_LEFT_OUT, True), "legs": {"__all__": _LEFT_OUT}}
                ),
                "features": hashlib.sha256(graded.rows.matrix[i].tobytes()).hexdigest()[:16],
                "prediction": {name: prediction[name] for name in _FIELDS},
            }
            lines += to_json(line, inf_nan_mode="null") + b"\n"
        try:
            self._segment(datetime.fromtimestamp(graded.times[0], UTC)).write(b"\n" * self._is_torn + lines)
        except OSError:
            self._is_torn = True  # what is cut off stays a line of its own
            raise
        self._is_torn = False

    def flush(self) -> None:
        """Hand what is written to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """End the segment."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segment(self, moment: datetime) -> BinaryIO:
        day = moment.strftime("%Y%m%d")
        if self._file is not None and (
            day != self._day or self._file.tell() >= self._segment_bytes or not os.fstat(self._file.fileno()).st_nlink
        ):  # the last: somebody removed it
            self.close()
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{moment:%Y%m%dT%H%M%S%f}-{self._slot}-{os.getpid()}{_SUFFIX}"
            self._file = (self._folder / name).open("ab")
            self._day = day
            self._prune()
        return self._file

    def _prune(self) -> None:
        """Remove the oldest segments beyond the limit; other workers may do the same at this moment."""
        sizes: list[tuple[str, int]] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                sizes.append((path.name, path.stat().st_size))
            except FileNotFoundError:
                continue
        total = sum(size for _, size in sizes)
        for name, size in sorted(sizes)[:-1]:
            if total <= self._total_bytes:
                break
            (self._folder / name).unlink(missing_ok=True)
            total -= size


def read_predictions(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Every line of the log in `folder`, oldest segment first; a line cut off by a crash or a full disk is left out."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    yield from_json(line)

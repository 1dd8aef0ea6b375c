"""Grading a whole file of bets, in batches: memory does not grow with the file."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.reading import read_bet
from pikkit.errors import InvalidBet, ModelError
from pikkit.exports.layout import Asked, survey
from pikkit.exports.reading import RowReader
from pikkit.exports.table import Row, of_records, open_table
from pikkit.files import why
from pikkit.grading.predictor import Predictor
from pikkit.models.model_set import ModelSet

__all__ = ["ANSWERS", "ScoredFile"]

BATCH = 5000
ANSWERS: Mapping[str, type[pl.DataType]] = {
    "win_probability": pl.Float64,
    "expected_roi": pl.Float64,
    "kelly_fraction": pl.Float64,
    "recommended_stake_pct": pl.Float64,
    "confidence": pl.Float64,
    "bet_grade": pl.String,
    "implied_probability": pl.Float64,
    "edge": pl.Float64,
    "sample_size": pl.Int64,
    "error": pl.String,
}
_TYPES: Any = dict(ANSWERS)
_REQUIRED = ("sport", "market", "institution_name", "odds")
_FIELDS = frozenset(Bet.model_fields)


class ScoredFile:
    """A file of bets that is to be graded, surveyed.

    Raises:
        ModelError: it is not there, is none, lacks a column, or can be read in several ways.
    """

    def __init__(self, source: Path, asked: Asked) -> None:
        self._source = source
        self._table = open_table(source)
        self._layout = survey(self._table, asked, _REQUIRED)
        self._reader = RowReader(self._layout)
        read = self._layout.places.values()
        self._others = {name: i for i, name in enumerate(self._table.names) if name in _FIELDS and i not in read}

    @property
    def evidence(self) -> Sequence[str]:
        """How the file is read, a line per fact."""
        return self._layout.evidence

    @cached_property
    def rows(self) -> int:
        """Rows of the file, for the progress bar."""
        return sum(1 for _ in self._table.rows())

    def score(
        self,
        target: Path,
        models: ModelSet,
        predictor: Predictor,
        *,
        now: float,
        limits: OddsLimits,
        progress: Callable[[int], None] = lambda _rows: None,
    ) -> tuple[int, int]:
        """Grade every row; what can't be graded gets the reason in the column `error`.

        Returns:
            Rows graded, rows with an error.

        Raises:
            ModelError: the file can't be read to its end, or the target not written.
        """
        counts = [0, 0]

        def grade(rows: Iterable[Row]) -> Iterator[tuple[list[str], dict[str, Any]]]:
            waiting = iter(rows)
            while part := list(itertools.islice(waiting, BATCH)):
                answers = self._answers([cells for _, cells in part], models, predictor, now, limits)
                bad = sum(answer["error"] is not None for answer in answers)
                counts[0] += len(answers) - bad
                counts[1] += bad
                progress(len(answers))
                yield from zip((cells for _, cells in part), answers, strict=True)

        partial = target.with_name(f".{target.name}.partial")
        try:
            if self._table.described == "Parquet":
                self._write_columns(partial, target.suffix, grade)
            else:
                self._write_lines(partial, target.suffix, grade(self._table.rows()))
            partial.replace(target)  # there is the whole result or none
        except (pl.exceptions.PolarsError, OSError) as cause:
            raise ModelError(
                f"{self._source} can't be scored into {target} ({why(cause)[:200]}): "
                "name another place by --out, or see to its room and rights"
            ) from cause
        finally:
            partial.unlink(missing_ok=True)
        return counts[0], counts[1]

    def _answers(
        self, rows: Sequence[list[str]], models: ModelSet, predictor: Predictor, now: float, limits: OddsLimits
    ) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        bets: list[Bet] = []
        for cells in rows:
            try:
                bets.append(read_bet(self._as_bet(cells), limits))
                answers.append({"error": None})
            except InvalidBet as error:
                answers.append({**dict.fromkeys(ANSWERS), "error": error.message})
        predictions: Iterator[Mapping[str, Any]] = iter(predictor.predict(models, bets, now))
        for answer in answers:
            if answer["error"] is None:
                answer.update(next(predictions))
        return answers

    def _as_bet(self, cells: Sequence[str]) -> dict[str, Any]:
        if len(cells) != len(self._layout.names):
            raise InvalidBet(f"a line of {len(cells)} cells under a header of {len(self._layout.names)}")
        others = {name: cells[place] for name, place in self._others.items() if cells[place]}
        return {**others, **self._reader.as_bet(cells)}

    def _write_lines(self, partial: Path, kind: str, graded: Iterator[tuple[list[str], dict[str, Any]]]) -> None:
        """As CSV; what was asked is repeated as it was written, but for answers of an earlier time."""
        kept = [place for place, name in enumerate(self._table.names) if name not in ANSWERS]
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*(self._table.names[place] for place in kept), *ANSWERS])
            width = len(self._table.names)
            for cells, answer in graded:
                padded = (cells + [""] * width)[:width]
                writer.writerow([*(padded[place] for place in kept), *(answer[name] for name in ANSWERS)])
        if kind == ".parquet":
            lines = partial.rename(partial.with_suffix(".lines"))
            try:
                pl.scan_csv(lines, infer_schema=False).cast(_TYPES).sink_parquet(partial, engine="streaming")
            finally:
                lines.unlink()

    def _write_columns(
        self, partial: Path, kind: str, grade: Callable[[Iterable[Row]], Iterator[tuple[list[str], dict[str, Any]]]]
    ) -> None:
        """As Parquet has them; what was asked keeps its types."""
        nothing = [pl.lit(None, kind).alias(name) for name, kind in ANSWERS.items()]

        def with_answers(frame: pl.DataFrame) -> pl.DataFrame:
            if not frame.height:
                return frame.with_columns(nothing)
            answers = [answer for _, answer in grade(of_records(frame.iter_rows(named=True), "").rows())]
            return frame.with_columns(
                pl.Series(name, [answer[name] for answer in answers], kind) for name, kind in ANSWERS.items()
            )

        scan = pl.scan_parquet(self._source)
        schema: dict[str, Any] = {**scan.collect_schema(), **ANSWERS}
        lazy = scan.map_batches(with_answers, schema=schema, streamable=True, projection_pushdown=False)
        if kind == ".parquet":
            lazy.sink_parquet(partial, engine="streaming")
        else:
            lazy.sink_csv(partial, engine="streaming")

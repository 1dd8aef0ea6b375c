"""Grading a whole file of bets, in batches: memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.reading import read_bet
from pikkit.errors import InvalidBet, ModelError
from pikkit.grading.predictor import Predictor
from pikkit.models.model_set import ModelSet

__all__ = ["ANSWERS", "count_rows", "score_file"]

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
_RENAMED = {"american_odds": "odds", "created_at": "placed_at"}
_FIELDS = frozenset(Bet.model_fields)
_NO_LEAGUE = "None"  # exports leave it empty where there is none: parlays, small tours


def count_rows(source: Path) -> int:
    """Rows of the file, for the progress bar."""
    return int(_scan(source).select(pl.len()).collect(engine="streaming").item())


def score_file(
    source: Path,
    target: Path,
    models: ModelSet,
    predictor: Predictor,
    *,
    now: float,
    limits: OddsLimits = OddsLimits(),
    progress: Callable[[int], None] = lambda _rows: None,
) -> tuple[int, int]:
    """Grade every row of a CSV or Parquet file; what can't be graded gets the reason in the column `error`.

    Returns:
        Rows graded, rows with an error.

    Raises:
        ModelError: the file is not there, or is neither.
    """
    counts = [0, 0]
    nothing = [pl.lit(None, kind).alias(name) for name, kind in ANSWERS.items()]

    def grade(frame: pl.DataFrame) -> pl.DataFrame:
        parts = []
        for part in frame.iter_slices(BATCH):
            answers = _answers(part, models, predictor, now, limits)
            bad = sum(answer["error"] is not None for answer in answers)
            counts[0] += len(answers) - bad
            counts[1] += bad
            progress(len(answers))
            added = [pl.Series(name, [answer[name] for answer in answers], kind) for name, kind in ANSWERS.items()]
            parts.append(part.with_columns(added))
        return pl.concat(parts) if parts else frame.with_columns(nothing)

    scan = _scan(source)
    try:
        schema: dict[str, Any] = {**scan.collect_schema(), **ANSWERS}
        lazy = scan.map_batches(grade, schema=schema, streamable=True, projection_pushdown=False)
        partial = target.with_name(f".{target.name}.partial")
        if target.suffix == ".parquet":
            lazy.sink_parquet(partial, engine="streaming")
        else:
            lazy.sink_csv(partial, engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise ModelError(f"{source} can't be scored ({str(cause)[:200]}): give bets as CSV or Parquet") from cause
    partial.replace(target)  # there is the whole result or none
    return counts[0], counts[1]


def _answers(
    frame: pl.DataFrame, models: ModelSet, predictor: Predictor, now: float, limits: OddsLimits
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    bets: list[Bet] = []
    for row in frame.iter_rows(named=True):
        try:
            bets.append(read_bet(_as_bet(row), limits))
            answers.append({"error": None})
        except InvalidBet as error:
            answers.append({**dict.fromkeys(ANSWERS), "error": error.message})
    predictions: Iterator[Mapping[str, Any]] = iter(predictor.predict(models, bets, now))
    for answer in answers:
        if answer["error"] is None:
            answer.update(next(predictions))
    return answers


def _as_bet(row: Mapping[str, Any]) -> dict[str, Any]:
    bet = {_RENAMED.get(name, name): value for name, value in row.items()}
    given = {name: value for name, value in bet.items() if name in _FIELDS and value not in (None, "")}
    return {"league": _NO_LEAGUE, **given}


def _scan(source: Path) -> pl.LazyFrame:
    if not source.is_file():
        raise ModelError(f"{source} is not a file: name a CSV or Parquet file of bets")
    return pl.scan_parquet(source) if source.suffix == ".parquet" else pl.scan_csv(source, infer_schema=False)

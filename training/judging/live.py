"""Served predictions against what came of them: the prediction log joined to settled bets.

The log carries nothing that identifies a bet, so the two are joined by what both say of it: sport, league, market,
sportsbook and bet type (aliases resolved), price, live or not, and time. A settled bet gets the last prediction for
its description that was made before it was placed: what its bettor saw. Each settled bet counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.columns import BetColumns
from pikkit.bets.names import group_key
from pikkit.bets.numbers import Floats
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import GRADES
from pikkit.errors import ModelError
from pikkit.history.history import SettledBets
from training.judging.evaluate import Judged

__all__ = ["EVIDENCE", "Coverage", "Live", "join"]


# What a prediction rests on: other sportsbooks' prices, all sides of its own market, past results, or the model alone.
EVIDENCE = ("reference", "market", "history", "model alone")

_CHUNK = 50_000
_CLOCKS_S = 60  # by which callers' clocks may be behind
_EVEN = -100
_NO_LEAGUE = "none"  # as exports leave it empty where callers say None
_SCHEMA: Mapping[str, Any] = {
    "key": pl.String,
    "time": pl.Float64,
    "probability": pl.Float64,
    "expected_roi": pl.Float64,
    "kelly": pl.Float64,
    "letter": pl.Int64,
    "evidence": pl.String,
    "version": pl.String,
    "slot": pl.String,
    "line": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the lines of the log and of the settled bets."""

    lines: int  # predictions of the log, within the asked time and version
    afterwards: int  # of these, made for a bet placed before (placed_at in the past): no forecast, left out
    settled: int
    matched: int  # settled bets with a prediction
    used: int  # different predictions that these take; fewer than `matched` where bets share a description

    def words(self) -> Iterator[str]:
        """One line per fact, for people."""
        yield f"{self.matched:,} of {self.settled:,} settled bets were predicted"
        yield f"{self.used:,} of {self.lines:,} logged predictions are theirs"
        if self.afterwards:
            yield f"{self.afterwards:,} left out: asked after their bet's own placed_at, they forecast nothing"


@dataclass(frozen=True, slots=True)
class Live:
    """Predictions as served and results, a settled bet each."""

    judged: Judged
    expected_roi: Floats  # percent
    kelly: Floats  # fraction
    evidence: npt.NDArray[np.str_]  # of EVIDENCE
    versions: npt.NDArray[np.str_]
    slots: npt.NDArray[np.str_]
    coverage: Coverage

    def parts(self) -> Iterator[tuple[str, Live]]:
        """All, each evidence, and where there are several, each model version and each slot by itself."""
        yield "all", self
        for name in EVIDENCE:
            mine = np.flatnonzero(self.evidence == name)
            if len(mine):
                yield f"by {name}", self.some(mine)
        for title, values in (("version", self.versions), ("slot", self.slots)):
            names = np.unique(values)
            if len(names) > 1:
                for name in names:
                    yield f"{title} {name}", self.some(np.flatnonzero(values == name))

    def some(self, picked: npt.NDArray[np.intp]) -> Live:
        """The bets at some positions."""
        judged = self.judged
        bets = SettledBets(judged.bets, judged.won, judged.roi_pct).take(picked)
        return Live(
            Judged(
                bets.bets,
                judged.probability[picked],
                judged.implied[picked],
                bets.won,
                bets.roi_pct,
                judged.letters[picked],
                judged.batch_ms,
            ),
            self.expected_roi[picked],
            self.kelly[picked],
            self.evidence[picked],
            self.versions[picked],
            self.slots[picked],
            self.coverage,
        )


def join(
    settled: SettledBets,
    lines: Iterable[Mapping[str, Any]],
    *,
    within_s: float,
    since: datetime | None = None,
    version: str | None = None,
) -> Live:
    """Give each settled bet the last prediction of its description within `within_s` before it was placed.

    Args:
        settled: bets with results; `placed_at` is when they were placed.
        lines: of the prediction log, in any order; memory grows with those that describe a settled bet only.
        within_s: seconds that a prediction may be older than the bet.
        since: leave earlier predictions out.
        version: only predictions of this model version.

    Raises:
        ModelError: no settled bet has a prediction.
    """
    keys = _keys(settled.bets)
    wanted = set(keys)
    counts: Counter[str] = Counter()
    frames = [pl.DataFrame(schema=_SCHEMA)]
    chunk: list[tuple[Any, ...]] = []
    for line in lines:
        at = datetime.fromisoformat(line["at"])
        if (since and at < since) or (version and line["model_version"] != version):
            continue
        counts["lines"] += 1
        time = at.timestamp()
        placed = line["bet"].get("placed_at")
        if placed is not None:
            asked_for = datetime.fromisoformat(placed).timestamp()
            if asked_for < time - _CLOCKS_S:
                counts["afterwards"] += 1
                continue
            time = max(time, asked_for)
        key = _key([line["bet"][name] for name in CATEGORICAL], line["bet"]["odds"], live=line["bet"]["is_live"])
        if key in wanted:
            answer = line["prediction"]
            chunk.append(
                (
                    key,
                    time,
                    answer["win_probability"],
                    answer["expected_roi"],
                    answer["kelly_fraction"],
                    GRADES.index(answer["bet_grade"]),
                    _evidence(answer),
                    line["model_version"],
                    line["slot"],
                    counts["lines"],
                )
            )
        if len(chunk) >= _CHUNK:
            frames.append(pl.DataFrame(chunk, schema=_SCHEMA, orient="row"))
            chunk.clear()
    frames.append(pl.DataFrame(chunk, schema=_SCHEMA, orient="row"))
    predictions = pl.concat(frames).sort("time")
    bets = pl.DataFrame({"key": keys, "time": settled.bets.placed_at, "row": np.arange(len(settled))}).sort("time")
    found = bets.join_asof(
        predictions, on="time", by="key", strategy="backward", tolerance=within_s, check_sortedness=False
    )
    found = found.filter(pl.col("line").is_not_null()).sort("row")
    if not found.height:
        raise ModelError(
            f"none of {len(settled):,} settled bets was predicted: the log has {counts['lines']:,} lines, of which "
            f"{predictions.height:,} describe one of them, but none in the {within_s / 3600:g} h before it was placed; "
            "check --predictions, --since and --within, and that PREDICTION_LOG was on"
        )
    return _live(settled, found, Coverage(counts["lines"], counts["afterwards"], len(settled), found.height, 0))


def _live(settled: SettledBets, found: pl.DataFrame, coverage: Coverage) -> Live:
    mine = settled.take(found["row"].to_numpy().astype(np.intp))
    judged = Judged(
        mine.bets,
        np.clip(found["probability"].to_numpy(), 0, 1),
        implied_probability(mine.bets.odds),
        mine.won,
        mine.roi_pct,
        found["letter"].to_numpy().astype(np.intp),
        float("nan"),
    )
    return Live(
        judged,
        found["expected_roi"].to_numpy(),
        found["kelly"].to_numpy(),
        np.array(found["evidence"].to_list()),
        np.array(found["version"].to_list()),
        np.array(found["slot"].to_list()),
        Coverage(coverage.lines, coverage.afterwards, coverage.settled, coverage.matched, found["line"].n_unique()),
    )


def _evidence(answer: Mapping[str, Any]) -> str:
    """Lines of before it was logged tell of no prices."""
    return answer.get("fair_method") or ("history" if answer.get("sample_size") else "model alone")


def _keys(bets: BetColumns) -> list[str]:
    columns = [values for _, values in bets.categorical()]
    return [
        _key(names, odds, live=live)
        for *names, odds, live in zip(*columns, bets.odds.tolist(), bets.is_live.tolist(), strict=True)
    ]


def _key(names: Sequence[str], odds: float, *, live: bool) -> str:
    folded = [group_key(column, name) or _NO_LEAGUE for column, name in zip(CATEGORICAL, names, strict=True)]
    price = f"{-odds if odds == _EVEN else odds:.2f}"  # -100 and +100 are one price
    return "\x1f".join([*folded, price, "live" if live else ""])

"""From graded bets to alerts: which are new, which are improved, which are seen again, which are too many."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pikkit.alerts.identity import alert_id_of, generation_of, identity_of, start_of
from pikkit.alerts.message import digest_line, digest_payload, payload_of
from pikkit.alerts.outbox import Outbox, written
from pikkit.bets.odds import american_to_decimal
from pikkit.bets.times import utc_text
from pikkit.errors import outlived

__all__ = ["Admission", "Limits", "Sighting"]

_DIGEST_AFTER_S = 10.0  # what else comes so soon is told of in the same digest
_HOUR_S = 3600.0
_LISTED = 10
MOST_HELD = 50_000
_HELD = "SELECT state, count(*) FROM outbox WHERE state IN ('waiting', 'left-out') GROUP BY state"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a bet seen again raises a new alert, and how many there may be."""

    window_s: float = 86_400.0
    price_step: float = 0.02  # relative gain of the decimal price
    per_hour: int = 60  # 0: any number
    most_held: int = MOST_HELD  # that wait, and that were too many


@dataclass(frozen=True, slots=True)
class Sighting:
    """A bet graded A or B in a request. Times in seconds: `at` since the epoch, `ticks` of the run `boot`."""

    bet: Mapping[str, Any]
    prediction: Mapping[str, Any]
    position: int
    caller: str
    seen_at: float
    at: float
    ticks: float
    boot: str
    environment: str
    deployment: str
    model_version: str


class Admission:
    """Decides within one transaction, so that workers and slots decide once."""

    def __init__(self, outbox: Outbox, limits: Limits) -> None:
        self._outbox = outbox
        self._limits = limits

    def admit(self, sightings: Sequence[Sighting]) -> Counter[str]:
        """Queue what is new or improved; counts by outcome: raised, improved, duplicate, left_out, dropped, parked.

        Raises:
            sqlite3.Error, OSError: the outbox can't be used; nothing was queued.
        """
        counts: Counter[str] = Counter()
        with self._outbox.transaction() as connection:
            held = Counter(dict(connection.execute(_HELD)))
            counts.update(self._decide(connection, sighting, held) for sighting in sightings)
        return counts

    def _decide(self, connection: sqlite3.Connection, seen: Sighting, held: Counter[str]) -> str:
        """The outcome; what can't be understood is parked, so that it holds nothing else."""
        outcome = "parked"
        connection.execute("SAVEPOINT sighting")
        with outlived(partial(self._park, connection, seen), but=(sqlite3.Error,)):
            outcome = self._admit(connection, seen, held)
        connection.execute("RELEASE sighting")
        return outcome

    def _park(self, connection: sqlite3.Connection, seen: Sighting, cause: Exception) -> None:
        connection.execute("ROLLBACK TO sighting")
        reason = f"the bet can't be understood ({type(cause).__name__})"
        raw = {"grade": "", "bet": dict(seen.bet), "prediction": dict(seen.prediction)}
        self._queue(connection, alert_id_of(written(raw), 0, 0), seen, raw, state="parked", reason=reason)

    def _admit(self, connection: sqlite3.Connection, seen: Sighting, held: Counter[str]) -> str:
        identity, start = identity_of(seen.bet, seen.position), start_of(seen.bet)
        odds, grade = float(seen.bet["odds"]), str(seen.prediction["bet_grade"])
        known = connection.execute(
            "SELECT generation, step, grade, odds, at, ticks, boot FROM bets WHERE identity = ?", (identity,)
        ).fetchone()
        generation, step, before = generation_of(start, seen.at, self._limits.window_s), 0, None
        if known and not self._forgotten(known, start, seen):
            generation, step, best_grade, best_odds = known[:4]
            if self._improved(grade, odds, best_grade, best_odds):
                step, before = step + 1, {"grade": best_grade, "odds": best_odds}
                grade, odds = min(grade, best_grade), max(odds, best_odds, key=_decimal)
            elif not self._left_to_another(connection, alert_id_of(identity, generation, step), seen):
                connection.execute(
                    "UPDATE bets SET at = ?, ticks = ?, boot = ? WHERE identity = ?",
                    (seen.at, seen.ticks, seen.boot, identity),
                )
                return "duplicate"
        left_out = self._too_many(connection, seen)
        state = "left-out" if left_out else "waiting"
        if held[state] >= self._limits.most_held:
            return "dropped"  # and not remembered: it may come again when there is room
        connection.execute(
            "INSERT OR REPLACE INTO bets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (identity, generation, step, grade, odds, start, seen.at, seen.ticks, seen.boot),
        )
        about = {
            "environment": seen.environment,
            "deployment": seen.deployment,
            "model_version": seen.model_version,
            "seen_at": utc_text(seen.seen_at),
            "identity": identity[:32],
            "step": step,
            **({} if start else {"known_since": utc_text(seen.at - self._limits.window_s)}),
            **({"improved": before} if before else {}),
        }
        payload = payload_of(seen.bet, seen.prediction, about, at=seen.at)
        if not self._queue(connection, alert_id_of(identity, generation, step), seen, payload, state=state):
            return "duplicate"  # the same lines again, as their worker was killed before it forgot them
        held[state] += 1
        if left_out:
            self._tell(connection, seen, payload)
            return "left_out"
        return "improved" if before else "raised"

    def _left_to_another(self, connection: sqlite3.Connection, alert_id: str, seen: Sighting) -> bool:
        """Whether the alert was too many for another caller, and is none for this one: then it is raised now."""
        row = connection.execute("SELECT state, caller FROM outbox WHERE alert_id = ?", (alert_id,)).fetchone()
        if row is None or row[0] != "left-out" or row[1] == seen.caller or self._too_many(connection, seen):
            return False
        connection.execute("DELETE FROM outbox WHERE alert_id = ?", (alert_id,))
        return True

    def _forgotten(self, known: Sequence[Any], start: float | None, seen: Sighting) -> bool:
        """Whether the bet may be another one by now: unseen for the window, and started if it has a start."""
        at, ticks, boot = known[4:]
        unseen = seen.ticks - ticks if boot == seen.boot else seen.at - at
        slack = self._limits.window_s / 60  # how seldom a worker notes that a bet is seen again
        return unseen >= self._limits.window_s + slack and (start is None or start < seen.at)

    def _improved(self, grade: str, odds: float, best_grade: str, best_odds: float) -> bool:
        return grade < best_grade or _decimal(odds) >= _decimal(best_odds) * (1 + self._limits.price_step)

    def _too_many(self, connection: sqlite3.Connection, seen: Sighting) -> bool:
        if not self._limits.per_hour:
            return False
        [count] = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE caller = ? AND boot = ? AND ticks > ? "
            "AND state != 'left-out' LIMIT ?)",
            (seen.caller, seen.boot, seen.ticks - _HOUR_S, self._limits.per_hour),
        ).fetchone()
        return bool(count >= self._limits.per_hour)

    def _queue(  # noqa: PLR0913 - the columns of a row
        self,
        connection: sqlite3.Connection,
        alert_id: str,
        seen: Sighting,
        payload: Mapping[str, Any],
        *,
        state: str,
        next_at: float = 0.0,
        caller: str | None = None,
        reason: str | None = None,
    ) -> bool:
        return bool(
            connection.execute(
                "INSERT OR IGNORE INTO outbox (alert_id, caller, at, ticks, boot, payload, state, next_at, reason) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    alert_id,
                    seen.caller if caller is None else caller,
                    seen.at,
                    seen.ticks,
                    seen.boot,
                    written(payload),
                    state,
                    next_at or seen.ticks,
                    reason,
                ),
            ).rowcount
        )

    def _tell(self, connection: sqlite3.Connection, seen: Sighting, payload: Mapping[str, Any]) -> None:
        """Add a bet to the digest of its caller: to the one that waits, else to a new one, an hour after the last."""
        digests = f"digest {seen.caller}"
        last = connection.execute(
            "SELECT alert_id, payload, state, attempts, next_at FROM outbox WHERE caller = ? AND boot = ? "
            "ORDER BY ticks DESC LIMIT 1",
            (digests, seen.boot),
        ).fetchone()
        if last and last[2] == "waiting" and not last[3]:
            alert_id, digest = last[0], json.loads(last[1])
        else:
            due = max(seen.ticks + _DIGEST_AFTER_S, last[4] + _HOUR_S if last else 0.0)
            alert_id = alert_id_of(last[0] if last else f"{digests} {seen.boot}", 0, int(seen.ticks * 1000))
            about = {name: payload[name] for name in ("environment", "deployment", "model_version", "seen_at")}
            digest = digest_payload(about, self._limits.per_hour, seen.at)
            self._queue(connection, alert_id, seen, digest, state="waiting", next_at=due, caller=digests)
        digest["left_out"] += 1
        if len(digest["lines"]) < _LISTED:
            digest["lines"].append(digest_line(payload))
        digest["grade"] = min(digest["grade"], payload["grade"])
        connection.execute("UPDATE outbox SET payload = ? WHERE alert_id = ?", (written(digest), alert_id))


def _decimal(odds: float) -> float:
    return float(american_to_decimal(float(odds)))

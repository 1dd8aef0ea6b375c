"""Times as callers send them and as the service writes them: ISO 8601, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

from pikkit.bets.shown import is_nothing, shown

__all__ = ["FIRST_YEAR", "LAST_YEAR", "Moment", "utc_text"]

FIRST_YEAR, LAST_YEAR = 1971, 2100


def _moment(value: object) -> datetime | None:
    if is_nothing(value):
        return None
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        moment = None
    odd = isinstance(value, str) and not value.strip().isprintable()  # any character may stand between date and time
    if odd or not isinstance(moment, datetime) or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(
            f"{shown(value)} is not a time: send ISO 8601 such as 2026-01-31T19:30:00Z, "
            f"between {FIRST_YEAR} and {LAST_YEAR}"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime | None, BeforeValidator(_moment, json_schema_input_type=str | None)]


def utc_text(seconds: float, timespec: str = "milliseconds") -> str:
    """Seconds since the epoch, with `Z`.

    Args:
        seconds: since the epoch.
        timespec: as `datetime.isoformat` has it.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")

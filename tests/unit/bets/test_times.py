"""How times are read, and how the service writes one, wherever it does."""

import pytest
from pydantic import TypeAdapter

from pikkit.bets.times import Moment, utc_text

NOON = 1769428800.0


@pytest.mark.parametrize(
    ("seconds", "timespec", "text"),
    [
        (NOON, "seconds", "2026-01-26T12:00:00Z"),
        (NOON, "milliseconds", "2026-01-26T12:00:00.000Z"),
        (NOON, "auto", "2026-01-26T12:00:00Z"),
        (NOON + 0.5, "seconds", "2026-01-26T12:00:00Z"),
        (NOON + 0.5, "milliseconds", "2026-01-26T12:00:00.500Z"),
        (NOON + 0.5, "auto", "2026-01-26T12:00:00.500000Z"),
    ],
)
def test_a_time_is_utc_and_ends_with_z(seconds: float, timespec: str, text: str) -> None:
    assert utc_text(seconds, timespec) == text


@pytest.mark.parametrize(
    "written", ["2026-01-26T12:00:00Z", "2026-01-26T14:00:00+02:00", "2026-01-26T12:00:00", " 2026-01-26 07:00-05:00 "]
)
def test_a_time_has_its_own_offset_or_is_utc(written: str) -> None:
    moment = TypeAdapter(Moment).validate_python(written)
    assert moment is not None
    assert moment.timestamp() == NOON

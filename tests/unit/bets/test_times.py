"""How the service writes a time, wherever it does."""

import pytest

from pikkit.bets.times import utc_text

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

"""Times as exports write them, to seconds since the epoch. Day and month are never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from pikkit.errors import ModelError

__all__ = ["TimeEvidence", "Times"]

_CLOCK = (
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp])?\.?(?(half)[Mm]\.?)?\s*(?P<zone>[A-Za-z]{1,5}|[+-]\d{2}:?\d{2})?)?"
)
_NUMBERS = re.compile(rf"(?P<a>\d{{1,4}})[/.\-](?P<b>\d{{1,2}})[/.\-](?P<c>\d{{1,4}}){_CLOCK}")
_WORDS = re.compile(
    rf"(?:[A-Za-z]{{3,9}},?\s+)??(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ \-.]+(?P<month>[A-Za-z]{{3,9}})|"
    rf"(?P<month2>[A-Za-z]{{3,9}})\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)[ \-,.]+(?P<year>\d{{4}}){_CLOCK}"
)
_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}")
_EPOCH = re.compile(r"\d{10}(\.\d+)?|\d{13}(\.\d+)?|\d{16}|\d{19}")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: i for i, name in enumerate(_NAMES, 1)}
_HOURS = {"Z": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6} | {
    "PST": -8, "PDT": -7, "BST": 1, "CET": 1, "CEST": 2,
}  # fmt: skip
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1990, 2101))
_YEAR_DIGITS = 4
_MONTH_MAX = 12
_CENTURY = 2000  # of years in two digits
_TWO_DIGITS = 100
_ORDERS = ("mdy", "dmy", "ymd")
_SOME_DAY = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of a file are read. `order`: of day, month and year in numbers; or a strptime format."""

    order: str = ""

    def parse(self, text: str) -> float | None:
        """Seconds since the epoch (UTC where no offset is given); None for what is no time that a bet can have."""
        try:
            moment = self._parsed(text)
        except (ValueError, OverflowError, KeyError):
            return None
        return moment if moment is not None and _EARLIEST <= moment < _LATEST else None

    def _parsed(self, text: str) -> float | None:
        found: re.Match[str] | None
        if "%" in self.order:
            moment = _seconds(datetime.strptime(text, self.order))  # noqa: DTZ007 - UTC where it has no zone
        elif _EPOCH.fullmatch(text):
            moment = float(text) / (1000.0 ** ((len(text.partition(".")[0]) - 10) // 3))
        elif _ISO.match(text):
            moment = _seconds(datetime.fromisoformat(_offset(text)))
        elif found := _NUMBERS.fullmatch(text):
            moment = _moment(found, *self._sorted(int(found["a"]), int(found["b"]), found["c"], found["a"]))
        elif found := _WORDS.fullmatch(text):
            month = _MONTHS[(found["month"] or found["month2"])[:3].lower()]
            moment = _moment(found, int(found["year"]), month, int(found["day"] or found["day2"]))
        else:
            return None
        return moment

    def _sorted(self, a: int, b: int, c: str, first: str) -> tuple[int, int, int]:
        if len(first) == _YEAR_DIGITS or self.order == "ymd":
            return _year(a), b, int(c)
        return (_year(int(c)), a, b) if self.order == "mdy" else (_year(int(c)), b, a)


@dataclass(slots=True)
class TimeEvidence:
    """What the times of a file show of their order."""

    first: int = 0  # dates whose first number is above 12: the day comes first
    second: int = 0  # whose second is: the month comes first
    either: int = 0  # read either way
    example: str = ""

    def see(self, text: str) -> None:
        """Look at one."""
        found = _NUMBERS.fullmatch(text)
        if found is None or len(found["a"]) == _YEAR_DIGITS:
            return
        a, b = int(found["a"]), int(found["b"])
        if a > _MONTH_MAX >= b:
            self.first += 1
        elif b > _MONTH_MAX >= a:
            self.second += 1
        elif a != b:
            self.either += 1
            self.example = self.example or text

    def decide(self, asked: str | None) -> tuple[Times, str]:
        """How they are read, and why, in words.

        Raises:
            ModelError: nothing shows whether day or month comes first, or both do.
        """
        if asked:
            if asked not in _ORDERS and not _tells_a_date(asked):
                raise ModelError(f"--date-format {asked}: give mdy, dmy, ymd or a format such as %d.%m.%Y %H:%M")
            return Times(asked), f"as asked, {asked}"
        if self.first and self.second:
            raise ModelError(
                f"{self.first:,} dates have a day in front of the month and {self.second:,} behind it: the file mixes "
                "two ways to write a date; give --date-format mdy or dmy, and see what is set aside"
            )
        if self.either and not self.first and not self.second:
            raise ModelError(
                f"dates such as {self.example!r} can be read with the month first or the day first, and none of "
                f"{self.either:,} shows which: give --date-format mdy or dmy"
            )
        if self.first or self.second:
            order, count, where = ("dmy", self.first, "first") if self.first else ("mdy", self.second, "second")
            return Times(order), f"{order}: {count:,} have a {where} number above 12, and none the other"
        return Times(), ""


def _tells_a_date(order: str) -> bool:
    """Whether it is a format of strptime's with day, month and year."""
    try:
        return datetime.strptime(_SOME_DAY.strftime(order), order).date() == _SOME_DAY.date()  # noqa: DTZ007 - a day
    except (ValueError, re.error):  # the latter where it has a part twice
        return False


def _year(number: int) -> int:
    return number + _CENTURY if number < _TWO_DIGITS else number


def _moment(found: re.Match[str], year: int, month: int, day: int) -> float:
    hour = int(found["hour"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    naive = datetime(year, month, day, hour, int(found["minute"] or 0), int(found["second"] or 0), tzinfo=UTC)
    return naive.timestamp() - _zone(found["zone"]).total_seconds()


def _zone(text: str | None) -> timedelta:
    if not text:
        return timedelta()
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        return timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if text[0] == "-" else 1)
    return timedelta(hours=_HOURS[text.upper()])


def _offset(text: str) -> str:
    """ISO text with a zone in words as an offset."""
    head, blank, zone = text.rpartition(" ")
    if not blank or zone[:1].isdigit() or zone[:1] in "+-":
        return head + zone if blank and zone[:1] in "+-" else text
    return f"{head}{timezone(_zone(zone))!s}".replace("UTC", "") + ("+00:00" if not _zone(zone) else "")


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()

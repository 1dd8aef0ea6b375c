"""A file of bets as rows of text: delimiter and encoding found, compression taken off, every row with its line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pikkit.errors import ModelError
from pikkit.files import why

__all__ = ["Row", "Table", "of_records", "open_table"]

Row = tuple[int, list[str]]  # number of the line (of the record, where there are no lines), cells

_DELIMITERS = ",;\t|"
_CHUNK = 1 << 20
_MAX_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """A header, and rows as often as they are asked for. `described`: how it was read, for people."""

    names: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]
    described: str
    comma_is_decimal: bool = False  # where cells are parted by something else, a comma may be the decimal one


def open_table(path: Path) -> Table:
    """The table in a CSV file (comma, semicolon, tab or |; UTF-8, UTF-16 or Latin-1; also gzip) or a Parquet file.

    Raises:
        ModelError: it is not there, is none, or has no header.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file: name a CSV or Parquet file of bets")
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if not start:
            raise ModelError(f"{path} is empty: export the bets again")
        if start.startswith(b"PK\x03\x04"):
            raise ModelError(f"{path} is a spreadsheet or an archive: save it as CSV, or unpack it")
        if start.startswith(b"PAR1"):
            return _parquet(path)
        encoding = _encoding(path)
        with _opened(path) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
            head = text.readline(_MAX_CELL)
        if "\0" in head or not head.strip():
            raise ModelError(f"{path} has no header in its first line: give CSV or Parquet")
        delimiter = max(_DELIMITERS, key=head.count)
        names = tuple(name.strip() for name in next(csv.reader([head], delimiter=delimiter)))
    except (OSError, EOFError, UnicodeError, csv.Error) as cause:
        raise ModelError(f"{path} can't be read as bets ({why(cause)}): give CSV or Parquet") from cause
    if head.count(delimiter) == 0:
        raise ModelError(
            f"{path} has one column, {head.strip()[:60]!r}: cells are parted by comma, semicolon, tab or |"
        )

    def rows() -> Iterator[Row]:
        with _opened(path) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
            yield from _rows(path, csv.reader(text, delimiter=delimiter))

    shown = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "|"}[delimiter]
    return Table(names, rows, f"{encoding}, cells parted by {shown}", comma_is_decimal=delimiter != ",")


def of_records(records: Iterable[Mapping[str, Any]], described: str) -> Table:
    """The table of decoded rows, as a database or Parquet has them: every value as an export would write it."""
    kept = list(records)
    names = tuple(dict.fromkeys(name for record in kept for name in record))
    return Table(names, lambda: _texts(names, kept), described)


def _texts(names: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, record in enumerate(records, start=1):
        yield number, [_text(record.get(name)) for name in names]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)


def _rows(path: Path, reader: Any) -> Iterator[Row]:
    before = csv.field_size_limit(_MAX_CELL)
    try:
        next(reader)
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
    except (OSError, EOFError, UnicodeError, csv.Error) as cause:
        raise ModelError(
            f"{path} can't be read beyond line {reader.line_num} ({cause}): is a quotation mark left open there, or "
            "the file cut off?"
        ) from cause
    finally:
        csv.field_size_limit(before)


def _parquet(path: Path) -> Table:
    try:
        import polars as pl  # noqa: PLC0415 - of the training extra, which serving does without
    except ImportError as cause:
        raise ModelError(f"{path} is a Parquet file, which needs polars: pip install polars, or give CSV") from cause
    try:
        scan = pl.scan_parquet(path)
        names = tuple(scan.collect_schema())
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise ModelError(f"{path} can't be read as Parquet: export it again, or give CSV") from cause

    def records() -> Iterator[Mapping[str, Any]]:
        for part in scan.collect_batches(chunk_size=50_000):
            yield from part.iter_rows(named=True)

    return Table(names, lambda: _texts(names, records()), "Parquet")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked  # type: ignore[misc] # a binary file like any other


def _encoding(path: Path) -> str:
    """UTF-8 where all of it is; else UTF-16 by its mark or its zeros, else Latin-1, which everything is."""
    with _opened(path) as raw:
        start = raw.read(1000)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        odd, even = start[1::2].count(0), start[::2].count(0)
        if max(odd, even) > len(start) // 5:
            return "utf-16-le" if odd > even else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            while chunk := raw.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _is_cp1252(path) else "latin-1"
    return "utf-8-sig"


def _is_cp1252(path: Path) -> bool:
    """Windows' Latin-1, whose few undefined bytes no text has."""
    undefined = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
    with _opened(path) as raw:
        while chunk := raw.read(_CHUNK):
            if any(byte in chunk for byte in undefined):
                return False
    return True

"""The journal survives what happens to files, and never stands in the way."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.journal.journal import Journal, Operation, Released
from tests.support.deploy_fakes import FakeClock


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def journal(tmp_path: Path, said: list[str]) -> Journal:
    return Journal(tmp_path / "journal.db", FakeClock(), said.append)


def reopened(tmp_path: Path, said: list[str]) -> Journal:
    return Journal(tmp_path / "journal.db", FakeClock(), said.append)


def test_what_was_recorded_is_read_by_the_next_command(journal: Journal, tmp_path: Path, said: list[str]) -> None:
    journal.record(Released("1", "blue", 2, "bento:1", "sha", "digest"))
    first = journal.live()
    assert first is not None
    journal.record(Released("2", "green", before=first.id))
    journal.begin(Operation("deploy", "3", "blue", "begin"))
    journal.begin(Operation("deploy", "3", "blue", "wait", reject=7))
    journal.put("ramp", {"weight": 10})
    journal.close()
    journal = reopened(tmp_path, said)
    live, previous, operation = journal.live(), journal.previous(), journal.operation()
    assert live is not None
    assert previous is not None
    assert operation is not None
    assert (live.version, live.slot, live.before) == ("2", "green", first.id)
    assert replace(previous, at=0.0) == Released("1", "blue", 2, "bento:1", "sha", "digest", id=first.id)
    assert (operation.command, operation.phase, operation.reject) == ("deploy", "wait", 7)
    assert journal.fact("ramp") == {"weight": 10}
    journal.end()
    journal.put("ramp", None)
    assert (journal.operation(), journal.fact("ramp"), journal.fault, said) == (None, None, None, [])


def test_a_release_of_before_keeps_its_id_when_it_is_live_again(journal: Journal) -> None:
    for version in ("1", "2"):
        live = journal.live()
        journal.record(Released(version, "blue", before=live.id if live else None))
    previous = journal.previous()
    assert previous is not None
    journal.record(replace(previous, slot="green"))
    assert len(journal.releases()) == 2
    assert journal.previous() is None


def test_reading_makes_no_file(journal: Journal, tmp_path: Path) -> None:
    assert (journal.live(), journal.operation(), journal.entries(), journal.fact("x")) == (None, None, [], None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\0" * 4096, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_put_aside_and_begun_anew(tmp_path: Path, said: list[str], content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    journal = reopened(tmp_path, said)
    assert journal.live() is None
    journal.record(Released("1", "blue"))
    live = journal.live()
    assert live is not None
    assert live.version == "1"


def test_a_file_that_was_damaged_in_the_middle_stops_nothing(journal: Journal, tmp_path: Path, said: list[str]) -> None:
    for number in range(200):
        journal.write("deploy", "done", number=number, text="x" * 500)
    journal.close()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    journal = reopened(tmp_path, said)
    journal.entries()
    journal.record(Released("1", "blue"))
    journal.write("deploy", "done")


def test_a_foreign_table_stops_nothing(tmp_path: Path, said: list[str]) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("CREATE TABLE facts (x)")
    other.close()
    journal = reopened(tmp_path, said)
    assert journal.live() is None
    journal.record(Released("1", "blue"))
    assert "can't be" in said[0]


def test_a_folder_that_can_not_be_written_is_told_once_and_stops_nothing(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal.db", FakeClock(), said.append)
    journal.record(Released("1", "blue"))
    journal.write("deploy", "done")
    journal.begin(Operation("deploy", "1", "blue"))
    assert journal.live() is None
    assert len(said) == 1
    assert journal.fault is not None


def test_a_full_disk_is_told_and_what_was_on_record_stays(journal: Journal, said: list[str]) -> None:
    journal.record(Released("1", "blue"))
    pages = journal._database.read("PRAGMA page_count")[0][0]
    journal._database.read(f"PRAGMA max_page_count = {pages}")
    journal.write("deploy", "done", text="x" * 100_000)
    assert "full" in said[0]
    live = journal.live()
    assert live is not None
    assert live.version == "1"
    journal._database.read("PRAGMA max_page_count = 10000")
    journal.write("deploy", "done", text="x" * 100_000)
    assert len(journal.entries()) == 1


def test_the_audit_log_tells_when_who_and_what(journal: Journal) -> None:
    journal.write("deploy", "done", to="2")
    journal.write("rollback", "done")
    assert [entry["command"] for entry in journal.entries()] == ["deploy", "rollback"]
    assert [entry["command"] for entry in journal.entries(1)] == ["rollback"]
    assert journal.entries()[0]["at"].endswith("Z")
    assert journal.entries()[0]["who"]

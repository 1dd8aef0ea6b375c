import os
import sqlite3
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.outbox import FILE, Outbox, is_corrupt, why_off
from tests.support.alerts import HandClock, sighting


def put(outbox: Outbox, *events: str) -> None:
    clock = HandClock()
    Admission(outbox, Limits(per_hour=0)).admit([sighting(clock, event=event) for event in events])


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    Outbox(tmp_path / "new", HandClock())
    assert not (tmp_path / "new").exists()


def test_no_other_user_reads_what_waits_not_even_in_the_log_beside(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        put(Outbox(tmp_path, HandClock()), "MTL @ BOS")
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [FILE, f"{FILE}-shm", f"{FILE}-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_fifty_thousand_waiting_alerts_are_read_within_twenty_milliseconds(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, HandClock())
    with outbox.transaction() as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
            "INSERT INTO outbox (alert_id, caller, at, ticks, boot, payload, state, next_at) "
            "SELECT 'a' || i, '', i, i, 'first', '{}', 'waiting', 2000 + i FROM n"
        )
        connection.execute("UPDATE outbox SET next_at = 10 WHERE alert_id = 'a49999'")
    for read in (lambda: outbox.due(20), outbox.figures, lambda: outbox.listed(None, 50)):
        times = []
        for _ in range(5):
            begin = time.thread_time()  # not the wall's: a busy machine interrupts any of them
            read()
            times.append(time.thread_time() - begin)
        assert min(times) < 0.02
    assert outbox.figures().depth == 50_000
    assert [job.alert_id for job in outbox.due(20)] == ["a49999"]


def test_a_deleted_or_replaced_file_is_noticed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, HandClock())
    put(outbox, "one")
    for file in tmp_path.glob(f"{FILE}*"):
        file.unlink()
    put(outbox, "two")
    assert Outbox(tmp_path, HandClock()).figures().depth == 1


@pytest.mark.parametrize("garbage", [b"no database at all" * 500, b"\0" * 4096, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_set_aside_and_kept(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / FILE).write_bytes(garbage)
    outbox = Outbox(tmp_path, HandClock())
    with pytest.raises(sqlite3.DatabaseError) as caught:
        put(outbox, "one")
    assert is_corrupt(caught.value)
    assert why_off(caught.value) == "corrupt"
    away = outbox.set_aside()
    assert away is not None
    assert away.read_bytes() == garbage
    put(outbox, "one")
    assert outbox.figures().depth == 1
    assert outbox.set_aside() is None  # of two processes that found it damaged, the second one finds a new file


def test_processes_share_an_outbox(tmp_path: Path) -> None:
    def work(number: int) -> None:
        outbox = Outbox(tmp_path, HandClock())
        left = [f"game {number} {i}" for i in range(25)]
        while left:
            with suppress(sqlite3.OperationalError):  # held for longer than it waits: the sink tries again, too
                put(outbox, left[-1])
                left.pop()
        outbox.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Outbox(tmp_path, HandClock()).figures().depth == 100


def test_what_an_earlier_release_left_waiting_is_taken_over(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / FILE)
    old.executescript("""
        CREATE TABLE alerts (alert_id TEXT PRIMARY KEY, key TEXT, created_at REAL, payload TEXT);
        CREATE TABLE deliveries (alert_id TEXT, channel TEXT, state TEXT, attempts INT, next_at REAL, reason TEXT);
        INSERT INTO alerts VALUES ('a1', 'k', 1769428800, '{"grade": "A", "bet": {}, "prediction": {}}');
        INSERT INTO alerts VALUES ('a2', 'k', 1769428800, '{}');
        INSERT INTO deliveries VALUES ('a1', 'n8n', 'waiting', 1, 0, NULL);
        INSERT INTO deliveries VALUES ('a2', 'n8n', 'delivered', 1, 0, NULL);
    """)
    old.close()
    outbox = Outbox(tmp_path, HandClock())
    assert [(job.alert_id, job.state) for job in outbox.listed()] == [("a1", "waiting")]
    outbox.close()
    assert len(outbox.listed()) == 1


def test_a_week_later_all_is_forgotten_and_what_still_waited_is_counted(tmp_path: Path) -> None:
    clock = HandClock()
    outbox = Outbox(tmp_path, clock)
    put(outbox, "one", "two")
    outbox.note(outbox.listed()[0], state="delivered")
    clock.pass_(6 * 86_400)
    assert outbox.tidy(86_400) == 0
    clock.pass_(2 * 86_400)
    assert outbox.tidy(86_400) == 1
    assert outbox.listed() == []


def test_why_it_is_off_is_one_of_a_few_words() -> None:
    assert why_off(OSError(28, "No space left on device")) == "disk_full"
    assert why_off(OSError(30, "Read-only file system")) == "read_only"
    assert why_off(PermissionError(13, "denied")) == "read_only"
    assert why_off(NotADirectoryError(20, "not a directory")) == "other"

import json
import timeit
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pikkit.bets.bet import Bet, Leg
from pikkit.settings import Settings
from pikkit.telemetry.logs import configure
from pikkit.telemetry.prediction_log import PredictionLog, read_predictions
from pikkit.telemetry.recorder import Graded, Recorder
from tests.support.disks import no_room
from tests.support.samples import a_bet, a_model_set, a_prediction
from tests.support.waiting import eventually


def _rows(models: Any, bets: Sequence[Any], times: Sequence[float]) -> Any:
    return SimpleNamespace(matrix=np.ones((len(bets), 3), dtype=np.float32), unknown=np.zeros((len(bets), 5)))


class Kept:
    def __init__(self, *, fails: bool = False) -> None:
        self.bets = 0
        self.taken: list[tuple[Any, Sequence[float]]] = []
        self.fails = fails

    def wants(self, bets: int, now: float) -> bool:
        return True

    def take(self, graded: Graded) -> None:
        if self.fails:
            raise OSError("disk full")
        self.bets += len(graded.bets)
        self.taken.append((graded.models, graded.times))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _log(folder: Path, **limits: int) -> PredictionLog:
    return PredictionLog(Settings(data_dir=folder, deployment="blue"), **limits)


def _take(log: PredictionLog, n: int = 1, at: float = 1_700_000_000.0, *, close: bool = True) -> None:
    bets = [a_bet(client_ref="who-i-am")] * n
    log.take(Graded(a_model_set(), bets, [a_prediction("A")] * n, _rows(None, bets, [at] * n), [at] * n))
    if close:
        log.close()


def test_what_is_graded_reaches_the_sinks() -> None:
    sink, dropped = Kept(), [0]
    recorder = Recorder(_rows, [sink], dropped=dropped.append)
    recorder.start()
    recorder.graded(a_model_set(), [a_bet()] * 3, [a_prediction()] * 3)
    recorder.stop()
    assert sink.bets == 3
    assert dropped == [0]


def test_calls_of_one_set_are_recorded_together_each_bet_with_its_own_time() -> None:
    sink = Kept()
    recorder = Recorder(_rows, [sink], dropped=lambda _: None)
    first, second = a_model_set(), a_model_set()
    for models, bets, at in ((first, 1, 1.0), (first, 2, 2.0), (second, 1, 3.0), (second, 31, 4.0), (second, 1, 5.0)):
        recorder.graded(models, [a_bet()] * bets, [a_prediction()] * bets, at)
    recorder.start()
    recorder.stop()
    assert sink.taken == [(first, [1.0, 2.0, 2.0]), (second, [3.0, *[4.0] * 31]), (second, [5.0])]


def test_a_full_queue_drops_and_counts_and_never_waits() -> None:
    sink, dropped = Kept(), list[int]()
    recorder = Recorder(_rows, [sink], dropped=dropped.append, limit=10)
    for _ in range(5):
        recorder.graded(a_model_set(), [a_bet()] * 4, [a_prediction()] * 4)
    assert dropped == [4, 4, 4]
    recorder.start()
    recorder.stop()
    assert sink.bets == 8


def test_a_sink_that_fails_is_counted_and_the_next_bets_go_on() -> None:
    sink, dropped = Kept(fails=True), list[int]()
    recorder = Recorder(_rows, [sink], dropped=dropped.append)
    recorder.start()
    recorder.graded(a_model_set(), [a_bet()], [a_prediction()])
    eventually(lambda: dropped)
    sink.fails = False
    recorder.graded(a_model_set(), [a_bet()], [a_prediction()])
    recorder.stop()
    assert (dropped, sink.bets) == ([1], 1)


def test_a_request_waits_for_less_than_20_microseconds() -> None:
    recorder = Recorder(_rows, [Kept()], dropped=lambda _: None, limit=10**9)
    bets, predictions, models = [a_bet()] * 100, [a_prediction()] * 100, a_model_set()
    assert min(timeit.repeat(lambda: recorder.graded(models, bets, predictions), number=100, repeat=5)) / 100 < 20e-6


def test_a_line_tells_bet_answer_model_set_and_slot_and_nothing_personal(tmp_path: Path) -> None:
    _take(_log(tmp_path))
    (path,) = (tmp_path / "predictions").iterdir()
    line = json.loads(path.read_text())
    assert line["at"] == "2023-11-14T22:13:20.000Z"
    assert line["slot"] == "blue"
    assert line["model_version"] == "20251222_131123"
    assert line["bet"]["odds"] == -110
    assert line["prediction"]["bet_grade"] == "A"
    assert len(line["features"]) == 16
    assert "who-i-am" not in path.read_text()


def test_what_may_tell_who_asked_is_written_neither_of_a_bet_nor_of_its_legs(tmp_path: Path) -> None:
    told = {**a_bet().model_dump(exclude_none=True), "url": "https://book.example/?session=me", "client_ref": "me"}
    bet = Bet.model_validate({**told, "legs": [told, {**told, "event": "another"}]})
    log, at = _log(tmp_path), 1_700_000_000.0
    log.take(Graded(a_model_set(), [bet], [a_prediction("A")], _rows(None, [bet], [at]), [at]))
    log.close()
    [line] = read_predictions(tmp_path / "predictions")
    of_leg = Leg.model_fields.keys() - {"url", "odds_format"}
    assert line["bet"].keys() == of_leg | {"legs"}
    assert [leg.keys() for leg in line["bet"]["legs"]] == [of_leg, of_leg]


def test_a_segment_that_somebody_removed_is_followed_by_a_new_one(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _take(log, close=False)
    for path in (tmp_path / "predictions").iterdir():
        path.unlink()
    _take(log, 2)
    assert len(list(read_predictions(tmp_path / "predictions"))) == 2


def test_segments_end_by_size_and_by_day_and_the_oldest_go(tmp_path: Path) -> None:
    log = _log(tmp_path, segment_bytes=2000, total_bytes=8000)
    for i in range(40):
        _take(log, at=1_700_000_000.0 + i, close=False)
    _take(log, at=1_700_000_000.0 + 86_400)
    paths = sorted((tmp_path / "predictions").iterdir())
    assert sum(path.stat().st_size for path in paths) <= 8000 + 2000 + 700
    assert len(paths) >= 3
    assert paths[-1].name.startswith("20231115")
    kept = [line["at"] for line in read_predictions(tmp_path / "predictions")]
    assert kept == sorted(kept)
    assert kept[0] > "2023-11-14T22:13:20.000Z"  # the oldest are gone


def test_a_line_cut_off_by_a_full_disk_costs_no_other_line(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _take(log, close=False)
    log.flush()
    with no_room(after=10_000), pytest.raises(OSError, match="too large"):
        _take(log, 100)
    _take(log, 2)
    assert 3 <= len(list(read_predictions(tmp_path / "predictions"))) < 30
    [path] = (tmp_path / "predictions").iterdir()
    assert [line.count('"sha256"') for line in path.read_text().splitlines()[-2:]] == [1, 1]


def test_a_disk_that_stays_full_is_told_once_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(_env_file=None, log_format="json"))
    sink, dropped = Kept(fails=True), list[int]()
    recorder = Recorder(_rows, [sink], dropped=dropped.append)
    for _ in range(20):
        recorder.graded(a_model_set(), [a_bet()], [a_prediction()])
    recorder.start()
    recorder.stop()
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["reason"] == "disk full"
    assert "Traceback" not in line
    assert sum(dropped) == 20


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    _take(_log(tmp_path), 3)
    (path,) = (tmp_path / "predictions").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert len(list(read_predictions(tmp_path / "predictions"))) == 2

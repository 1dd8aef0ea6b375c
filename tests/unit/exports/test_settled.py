import gzip
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pikkit.errors import ModelError
from pikkit.exports.settled import ReadReport, read_settled, settled_from_rows
from pikkit.history.history import History, as_of
from tests.support.simulated import dirty_export

HEAD = "sport,league,market,institution_name,bet_type,american_odds,is_win,roi,clv_percentage,is_live,created_at\n"
GOOD = "Tennis,ATP,Moneyline,BetMGM,straight,-110,True,90.91,1.5,True,2025-10-06T17:52:09Z\n"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "bets.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "".join(lines)).encode()))
    return path


def test_a_good_row_is_used_as_it_is(tmp_path: Path) -> None:
    bets, report = read_settled(write(tmp_path, GOOD))
    assert (report.rows, report.used) == (1, 1)
    assert (bets.bets.sport, bets.bets.odds.tolist(), bets.won.tolist()) == (["Tennis"], [-110.0], [True])
    assert bets.bets.is_live.tolist() == [True]
    assert bets.bets.placed_at.tolist() == [1_759_773_129.0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("-110", ""), "no odds"),
        (GOOD.replace("-110", "many"), "no odds"),
        (GOOD.replace("-110", "-2500000"), "odds outside"),
        (GOOD.replace("-110", "1.91"), "no odds that can be read"),
        (GOOD.replace("Tennis", ""), "no sport"),
        (GOOD.replace("2025-10-06T17:52:09Z", "soon"), "no time"),
        (GOOD.replace("True,90.91", ","), "not settled"),
        (GOOD.replace("90.91", "NaN"), "not settled"),
        (GOOD.replace("90.91", "inf"), "not settled"),
        (GOOD.replace("2025-10-06T17:52:09Z", "0001-01-01T00:00:00"), "no time"),
        (GOOD.replace("2025-10-06T17:52:09Z", "0000000000"), "no time"),
        (GOOD.replace("90.91", "1e200"), "beyond what any price pays"),
        (GOOD.replace("True,90.91", "False,0.0"), "push"),
        (GOOD.replace("True,90.91", "False,20"), "contradict"),
    ],
)
def test_a_row_that_can_not_be_used_is_counted_by_reason(tmp_path: Path, line: str, reason: str) -> None:
    bets, report = read_settled(write(tmp_path, GOOD, line))
    assert len(bets) == 1
    assert [words for words in report.set_aside if reason in words]
    assert any(reason in line for line in report.lines())


@pytest.mark.parametrize(
    ("written", "odds"), [("EVEN", 100), ("pk", 100), ("+150", 150), ("\u2212110", -110), (" -110.0 ", -110)]
)
def test_odds_are_read_as_sportsbooks_write_them(tmp_path: Path, written: str, odds: float) -> None:
    bets, _ = read_settled(write(tmp_path, GOOD.replace("-110", written)))
    assert bets.bets.odds.tolist() == [odds]


def test_bets_come_oldest_first_and_equal_times_keep_their_order(tmp_path: Path) -> None:
    lines = [
        GOOD.replace("09Z", f"{second:02}Z").replace("ATP", name) for second, name in ((9, "b"), (5, "a"), (9, "c"))
    ]
    bets, _ = read_settled(write(tmp_path, *lines))
    assert bets.bets.league == ["a", "b", "c"]


def test_parquet_and_rows_of_a_database_are_read_too(tmp_path: Path) -> None:
    frame = pl.read_csv(write(tmp_path, GOOD), try_parse_dates=True)
    frame.write_parquet(tmp_path / "bets.parquet")
    from_parquet, _ = read_settled(tmp_path / "bets.parquet")
    rows = [{**row, "created_at": "2025-10-06T17:52:09+00:00", "id": 7} for row in frame.to_dicts()]
    from_rows, report = settled_from_rows([*rows, *rows])
    assert from_parquet.bets.placed_at.tolist() == from_rows.bets.placed_at.tolist()
    assert report.set_aside == {"the same id occurs before": 1}


def test_the_return_follows_from_price_and_result_where_there_is_no_column_for_it(tmp_path: Path) -> None:
    frame = pl.read_csv(write(tmp_path, GOOD, GOOD.replace("True,90.91", "False,-100"))).drop("roi")
    bets, _ = settled_from_rows(frame.to_dicts())
    assert bets.roi_pct.tolist() == [pytest.approx(90.909, abs=0.01), -100]


@pytest.mark.parametrize(("name", "content"), [("none.csv", None), ("bets.csv", b"a,b\n1,2\n"), ("b.parquet", b"x")])
def test_what_is_no_file_of_bets_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError):
        read_settled(tmp_path / name)


def _accounted_for(path: Path) -> ReadReport:
    bets, report = read_settled(path)
    assert len(bets) == report.used == report.rows - sum(report.set_aside.values())
    assert (np.abs(bets.bets.odds) >= 100).all()
    assert ((bets.roi_pct > 0) == bets.won).all()
    return report


def test_every_row_of_an_export_is_used_or_set_aside_for_its_own_fault(tmp_path: Path) -> None:
    export = dirty_export(3000, 1)
    report = _accounted_for(export.write(tmp_path / "bets.csv.gz"))
    assert report.rows == 3000
    found = {fault: count for fault in export.unusable for words, count in report.set_aside.items() if fault in words}
    assert found == export.unusable
    assert len(report.set_aside) == len(found)


def test_all_real_bets_are_accounted_for(real_dir: Path) -> None:
    report = _accounted_for(real_dir / "bets.csv.gz")
    assert report.rows == 21_767
    assert report.used > 20_000


def test_the_cost_of_history_and_training_rows_grows_as_the_bets_do(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        path = dirty_export(count, 1).write(tmp_path / f"{count}.csv")
        tries = []
        for _ in range(3):
            begin = time.process_time()
            bets, _ = read_settled(path)
            History.from_bets(bets)
            as_of(bets)
            tries.append(time.process_time() - begin)
        return min(tries)

    assert seconds(9_000) < 30 * seconds(1_000)  # 9 times the bets; by their square it would be 81

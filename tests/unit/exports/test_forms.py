"""What people have: the same bets in every form that exports have, and what is refused rather than guessed."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from pikkit.errors import ModelError
from pikkit.exports.layout import Asked
from pikkit.exports.settled import read_settled
from pikkit.history.history import SettledBets
from tests.support.simulated import tracker_export

# As the header has it; then the price in three formats, whether it won, and when it was settled (UTC).
BETS = (
    ("Tennis", "ATP", "Moneyline", "BetMGM", "straight", "-110", "1.909091", "10/11", True, "2025-10-16T17:52:09"),
    ("Basketball", "NBA", "Spread", "FanDuel", "straight", "+150", "2.5", "3/2", False, "2025-10-17T01:00:00"),
    ("Soccer", "Série A", "Total Goals", "bet365", "straight", "-200", "1.5", "1/2", True, "2025-10-18T20:30:00"),
)
HEAD = ("sport", "league", "market", "institution_name", "bet_type")
EPOCHS = (1_760_637_129, 1_760_662_800, 1_760_819_400)


def lines(
    *,
    head: str = "odds,is_win,settled_at",
    cells: Callable[[int], list[str]] | None = None,
    by: str = ",",
    extra: str = "",
) -> str:
    names = [*HEAD, *head.split(",")]
    rows = [by.join(names)]
    for i, bet in enumerate(BETS):
        own = cells(i) if cells else [bet[5], str(bet[8]), bet[9] + "Z"]
        rows.append(by.join([*bet[:5], *own]))
    return "\n".join(rows) + "\n" + extra


def with_odds(odds: Callable[[int], str]) -> Callable[[int], list[str]]:
    return lambda i: [odds(i), str(BETS[i][8]), f"{BETS[i][9]}Z"]


def with_result(won: str, lost: str) -> Callable[[int], list[str]]:
    return lambda i: [str(BETS[i][5]), won if BETS[i][8] else lost, f"{BETS[i][9]}Z"]


def with_time(time: Callable[[int], str]) -> Callable[[int], list[str]]:
    return lambda i: [str(BETS[i][5]), str(BETS[i][8]), time(i)]


def day(i: int) -> tuple[str, str, str, str]:
    text = str(BETS[i][9])
    return text[8:10], text[5:7], text[:4], text[11:]


FORMS: dict[str, str | bytes] = {
    "as our own export has them": lines(),
    "semicolons": lines(by=";"),
    "tabs": lines(by="\t"),
    "decimal commas between semicolons": lines(cells=with_odds(lambda i: str(BETS[i][6]).replace(".", ",")), by=";"),
    "UTF-8 with a mark": lines().encode("utf-8-sig"),
    "UTF-16 with a mark": lines().encode("utf-16"),
    "UTF-16 without a mark": lines().encode("utf-16-le"),
    "Latin-1": lines().encode("latin-1"),
    "gzip": gzip.compress(lines().encode()),
    "carriage returns": lines().replace("\n", "\r\n"),
    "quoted cells": lines().replace("Moneyline", '"Moneyline"'),
    "blank lines between": lines().replace("\n", "\n\n"),
    "names of columns in capitals with blanks": lines(head="Odds,Is Win,Settled At").replace(
        "institution_name", " Sportsbook "
    ),
    "decimal odds": lines(cells=with_odds(lambda i: str(BETS[i][6]))),
    "fractional odds": lines(cells=with_odds(lambda i: str(BETS[i][7]))),
    "typographic minus": lines(cells=with_odds(lambda i: str(BETS[i][5]).replace("-", "\u2212"))),
    "WIN and LOSS": lines(head="odds,result,settled_at", cells=with_result("WIN", "LOSS")),
    "won and lost": lines(head="odds,outcome,settled_at", cells=with_result("won", "lost")),
    "W and L": lines(head="odds,result,settled_at", cells=with_result("W", "L")),
    "1 and 0": lines(head="odds,won,settled_at", cells=with_result("1", "0")),
    "statuses of a tracker": lines(head="odds,status,settled_at", cells=with_result("SETTLED_WIN", "SETTLED_LOSS")),
    "epoch seconds": lines(cells=with_time(lambda i: str(EPOCHS[i]))),
    "epoch milliseconds": lines(cells=with_time(lambda i: str(EPOCHS[i] * 1000))),
    "epoch nanoseconds": lines(cells=with_time(lambda i: str(EPOCHS[i] * 10**9))),
    "month first": lines(cells=with_time(lambda i: "{1}/{0}/{2} {3} GMT".format(*day(i)))),
    "day first": lines(cells=with_time(lambda i: "{}.{}.{} {}".format(*day(i)))),
    "months in words": lines(cells=with_time(lambda i: "{0} Oct {2} {3}".format(*day(i)))),
    "mixed offsets": lines(
        cells=with_time(lambda i: ("2025-10-16T19:52:09+02:00", "2025-10-16 21:00:00-04:00", "2025-10-18T20:30:00Z")[i])
    ),
    "other columns beside": lines(
        head="odds,is_win,settled_at,notes", cells=lambda i: [*with_odds(lambda j: str(BETS[j][5]))(i), "x"]
    ),
}


def read(path: Path, content: str | bytes, asked: Asked | None = None) -> SettledBets:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_settled(path, asked)[0]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_bets_is_read_as_the_same_bets(tmp_path: Path, form: str) -> None:
    found = read(tmp_path / "bets.csv", FORMS[form])
    expected = read(tmp_path / "plain.csv", lines()).bets
    assert list(found.bets.categorical()) == list(expected.categorical())
    assert found.bets.odds.tolist() == pytest.approx(expected.odds.tolist(), abs=0.01)
    assert found.bets.placed_at.tolist() == list(EPOCHS) == expected.placed_at.tolist()
    assert found.won.tolist() == [True, False, True]


REFUSED: dict[str, tuple[str | bytes, Asked, str]] = {
    "dates that fit both readings": (
        lines(cells=with_time(lambda i: f"10/0{i + 4}/2025")),
        Asked(),
        r"'10/04/2025' can be read with the month first or the day first.*--date-format mdy or dmy",
    ),
    "dates that mix both": (
        lines(cells=with_time(lambda i: ("13/10/2025", "10/13/2025", "1/2/2025")[i])),
        Asked(),
        "mixes two ways",
    ),
    "odds that mix formats": (lines(cells=with_odds(lambda i: ("-110", "1.5", "2.5")[i])), Asked(), "--odds-format"),
    "no column for the result": (
        lines().replace("is_win", "mystery"),
        Asked(),
        "no column for result.*--map THEIRS=result",
    ),
    "a mapping of no column": (lines(), Asked(columns={"Oddz": "odds"}), "did you mean 'odds'"),
    "a mapping to nothing of ours": (lines(), Asked(columns={"odds": "price_of_fish"}), "none of id, sport"),
    "a column twice": (
        lines(head="odds,is_win,settled_at,Odds", cells=lambda i: [*with_odds(lambda j: str(BETS[j][5]))(i), "1"]),
        Asked(),
        "twice",
    ),
    "a spreadsheet": (b"PK\x03\x04 and so on", Asked(), "save it as CSV"),
    "nothing": (b"", Asked(), "is empty"),
    "one column": ("odds\n-110\n", Asked(), "one column"),
    "a file that is cut off": (gzip.compress(lines().encode() * 500)[:-20], Asked(), "can't be read"),
    "an unknown odds format": (lines(), Asked(odds_format="hongkong"), "american, decimal, fractional"),
    "an unknown date format": (lines(), Asked(date_format="european"), "mdy, dmy, ymd"),
    **{
        f"the date format {order}": (lines(), Asked(date_format=order), f"--date-format {order}: give mdy, dmy, ymd")
        for order in ("%", "%Q", "%d.%m", "%H:%M", "%d.%m.%Y %d")
    },
}


@pytest.mark.parametrize("column", ["sport", "institution_name", "odds", "is_win", "settled_at"])
def test_the_remedy_for_a_missing_column_is_one(tmp_path: Path, column: str) -> None:
    content = lines().replace(column, "mystery")
    with pytest.raises(ModelError, match="no column for") as caught:
        read(tmp_path / "bets.csv", content)
    ours = caught.value.message.rpartition("--map THEIRS=")[2]
    assert len(read(tmp_path / "bets.csv", content, Asked(columns={"mystery": ours}))) == len(BETS)


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_several_ways_or_not_at_all_is_refused_in_words_of_the_file(
    tmp_path: Path, case: str
) -> None:
    content, asked, said = REFUSED[case]
    with pytest.raises(ModelError, match=said) as caught:
        read(tmp_path / "bets.csv", content, asked)
    assert "\n" not in caught.value.message
    assert "polars" not in caught.value.message.lower()


def test_what_is_said_outranks_what_is_found_out(tmp_path: Path) -> None:
    ambiguous = lines(cells=with_time(lambda i: f"10/0{i + 4}/2025"))
    months = {order: read(tmp_path / "bets.csv", ambiguous, Asked(date_format=order)) for order in ("mdy", "dmy")}
    assert months["mdy"].bets.placed_at[0] == 1_759_536_000  # 4 October
    assert months["dmy"].bets.placed_at[0] == 1_744_243_200  # 10 April
    renamed = lines().replace("odds", "Kurs").replace("is_win", "Treffer")
    assert len(read(tmp_path / "bets.csv", renamed, Asked(columns={"Kurs": "odds", "Treffer": "result"}))) == 3


def test_ragged_lines_and_what_else_is_set_aside_are_counted_and_kept_with_line_and_reason(tmp_path: Path) -> None:
    (tmp_path / "bets.csv").write_text(
        lines(extra="Tennis,ATP\n" + "Tennis,,Moneyline,BetMGM,straight,-110,cashout,2025-10-20\n")
    )
    bets, report = read_settled(tmp_path / "bets.csv", rejected=tmp_path / "aside.csv")
    assert (len(bets), report.rows) == (3, 5)
    assert report.set_aside == {
        "a line of 2 cells under a header of 8": 1,
        "cashed out: no result of the bet itself": 1,
    }
    kept = (tmp_path / "aside.csv").read_text().splitlines()
    assert kept[0].startswith("line,reason,sport")
    assert kept[1] == "5,a line of 2 cells under a header of 8,Tennis,ATP"
    assert kept[2].startswith("6,cashed out: no result of the bet itself,Tennis,,Moneyline")


def test_the_transactions_of_a_tracker_are_read(tmp_path: Path) -> None:
    frame = tracker_export(2000, 3)
    frame.write_csv(tmp_path / "transactions.csv")
    bets, report = read_settled(tmp_path / "transactions.csv")
    assert report.rows == 2000
    assert {"push or void: the stake came back", "not settled: no result"} == set(report.set_aside)
    said = "\n".join(report.lines())
    assert "odds: decimal" in said
    assert "result from status" in said
    assert "market" in said
    parlays = [i for i, kind in enumerate(bets.bets.bet_type) if kind == "parlay"]
    assert parlays
    assert {(bets.bets.sport[i], bets.bets.league[i], bets.bets.market[i]) for i in parlays} == {
        ("Parlay", "", "Parlay")
    }
    assert bets.bets.clv_percentage == pytest.approx(100 / 0.98 - 100, abs=0.2)
    assert ((bets.roi_pct > 0) == bets.won).all()


def test_us_dates_of_a_tracker_without_iso_columns_are_read_with_the_month_first(tmp_path: Path) -> None:
    frame = tracker_export(300, 3)
    frame.write_csv(tmp_path / "whole.csv")
    iso, _ = read_settled(tmp_path / "whole.csv")
    frame.drop("time_placed_iso", "time_settled_iso").write_csv(tmp_path / "older.csv")
    older, report = read_settled(tmp_path / "older.csv")
    assert older.bets.placed_at.tolist() == iso.bets.placed_at.tolist()
    assert any("mdy" in line for line in report.lines())

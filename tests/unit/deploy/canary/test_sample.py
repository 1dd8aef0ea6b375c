"""What counts for the judge, of all that the proxy logged."""

from collections.abc import Sequence
from pathlib import Path

from deploy.canary.sample import LOG, lines_of, served
from deploy.files import Tail

PREDICT = "/api/v1/predict"


def line(
    slot: str = "canary",
    *,
    at: float = 100.0,
    endpoint: str = PREDICT,
    status: int = 200,
    seconds: str = "0.010",
    chosen: int = 0,
    client: str = "a",
) -> str:
    return f"{at:.3f}\t{slot}\t{endpoint}\t{status}\t{seconds}\t{chosen}\t{client}"


def write(folder: Path, lines: Sequence[str], name: str = LOG) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / name).open("a") as out:
        out.write("".join(f"{one}\n" for one in lines))


def test_what_a_client_chose_and_what_no_path_is_known_for_counts_for_no_side(tmp_path: Path) -> None:
    lines = [line(status=500, chosen=1)] * 50 + [line(endpoint="other", status=500)] * 50 + [line()]
    write(tmp_path, lines)
    found = served(tmp_path, 0, 1e9, 0)
    assert found["canary"].keys() == {PREDICT}
    assert (found["canary"][PREDICT].requests, found["canary"][PREDICT].errors) == (1, 0)


def test_a_client_counts_at_most_so_often_a_slot(tmp_path: Path) -> None:
    write(tmp_path, [line(client="gamer", status=400)] * 500 + [line(client="b")] * 3 + [line("blue", client="gamer")])
    found = served(tmp_path, 0, 1e9, 20)
    assert (found["canary"][PREDICT].requests, found["canary"][PREDICT].refused) == (23, 20)
    assert found["blue"][PREDICT].requests == 1
    assert served(tmp_path, 0, 1e9, 0)["canary"][PREDICT].requests == 503


def test_only_the_time_that_is_asked_for_counts_also_across_rotated_logs(tmp_path: Path) -> None:
    write(tmp_path, [line(at=10), line(at=20)], f"{LOG}.1")
    write(tmp_path, [line(at=30), line(at=40)])
    assert served(tmp_path, 20, 30, 0)["canary"][PREDICT].requests == 2
    assert served(tmp_path, 41, 1e9, 0) == {}
    assert served(tmp_path / "nowhere", 0, 1e9, 0) == {}


def test_damaged_lines_are_passed_over_and_the_last_upstream_answered(tmp_path: Path) -> None:
    write(tmp_path, ["", "half\tof", line(seconds="0.001, 3.000"), line(seconds="x"), line(seconds="-")])
    with (tmp_path / LOG).open("ab") as out:
        out.write(b"\xff\xfe\n")
    found = served(tmp_path, 0, 1e9, 0)["canary"][PREDICT]
    assert found.requests == 2
    assert found.over(2.5) == 1


def test_new_lines_are_told_once_and_go_on_after_a_rotation(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    tail = Tail(tmp_path / LOG)
    assert tail.read() == []  # from here on
    write(tmp_path, [line(), line("nginx", status=429, endpoint="other", seconds="-")])
    with (tmp_path / LOG).open("a") as out:
        out.write(line(status=502)[:12])  # half a line: not yet
    assert [(one.slot, one.status) for one in lines_of(tail.read())] == [("canary", 200), ("nginx", 429)]
    (tmp_path / LOG).replace(tmp_path / f"{LOG}.1")
    write(tmp_path, [line("blue", seconds="1.500")])
    assert [(one.slot, one.seconds) for one in lines_of(tail.read())] == [("blue", 1.5)]

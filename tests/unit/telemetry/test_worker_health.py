from collections.abc import Sequence

import pytest

from pikkit.telemetry.worker_files import Worker
from pikkit.telemetry.worker_health import WorkerHealth

STILL = 10
MYSELF = 9


class Service:
    """Beats of the living workers, by look and process id; None for one that is still starting."""

    def __init__(self, *looks: Sequence[tuple[int, int | None]]) -> None:
        self._looks = list(reversed(looks))
        self.ended = 0
        self.told = 0
        self.killed: list[int] = []
        health = WorkerHealth(
            self._alive, 4, ended=self._tell, end_worker=self.killed.append, end_service=self._end, myself=MYSELF
        )
        while self._looks:
            health.look()

    def _alive(self) -> list[Worker]:
        return [Worker(pid, {"start_s": 1} if beat else {}, beat or 0) for pid, beat in self._looks.pop()]

    def _end(self) -> None:
        self.ended += 1

    def _tell(self) -> None:
        self.told += 1


def _with(*alive: int) -> Service:
    return Service(*([(pid, look + 1) for pid in range(count)] for look, count in enumerate(alive)))


def _beats(*beats: int | None) -> Service:
    """A worker with these beats beside one that goes on."""
    return Service(*([(1, beat), (MYSELF, look + 1)] for look, beat in enumerate(beats)))


def test_lost_workers_end_the_service_once_after_some_patience() -> None:
    assert _with(4, 3, 3).ended == 0
    assert _with(4, 3, 3, 3, 3, 2).ended == 1


def test_a_worker_that_never_comes_ends_the_service_too() -> None:
    assert _with(*[3] * 14).ended == 0
    assert _with(*[3] * 20).ended == 1


def test_a_worker_that_is_only_late_ends_nothing() -> None:
    for alive in ((0, 1, 2, 2, 2, 3, 4), (4, 3, 3, 4, 3, 3, 4), (4, 4, 5)):
        assert _with(*alive).ended == 0


@pytest.mark.parametrize(("looks", "killed"), [(STILL - 1, []), (STILL, [1]), (2 * STILL - 1, [1])])
def test_a_worker_whose_beat_stands_still_is_ended_once(looks: int, killed: list[int]) -> None:
    service = _beats(*[7] * looks)
    assert service.killed == killed
    assert service.told == len(killed)


def test_one_that_goes_on_in_time_and_one_that_is_starting_are_left_alone() -> None:
    assert _beats(*[7] * (STILL - 1), *[8] * (STILL - 1)).killed == []
    assert _beats(*[None] * 2 * STILL).killed == []


def test_where_every_beat_stands_still_nobody_is_ended() -> None:
    assert Service(*[[(1, 7), (2, 7), (MYSELF, 7)]] * 2 * STILL).killed == []


def test_of_several_that_stand_still_one_at_a_time_is_ended() -> None:
    still = [(1, 7), (2, 7), (3, 7)]
    assert Service(*([*still, (MYSELF, look + 1)] for look in range(STILL + 1))).killed == [1, 2]

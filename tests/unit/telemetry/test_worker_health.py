from pikkit.telemetry.worker_health import Strength


class Service:
    def __init__(self, *alive: int) -> None:
        self.alive = list(alive)
        self.ended = 0
        self.watch = Strength(self.alive.pop, 4, end=self.end)
        self.alive.reverse()

    def end(self) -> None:
        self.ended += 1

    def look(self) -> None:
        while self.alive:
            self.watch.look()


def test_lost_workers_end_the_service_once_after_some_patience() -> None:
    service = Service(4, 3, 3, 3, 3, 2)
    service.look()
    assert service.ended == 1


def test_a_worker_that_never_comes_ends_the_service_too() -> None:
    service = Service(*[3] * 20)
    service.look()
    assert service.ended == 1


def test_a_worker_that_is_only_late_ends_nothing() -> None:
    for alive in ((0, 1, 2, 2, 2, 3, 4), (4, 3, 3, 4, 3, 3, 4), (4, 4, 5)):
        service = Service(*alive)
        service.look()
        assert service.ended == 0

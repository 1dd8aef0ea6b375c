"""Alerts as the settings describe them, with the command that looks at them, and a clock that is set by hand."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pikkit.alerts.__main__ import app
from pikkit.alerts.building import build_sink
from pikkit.settings import Settings
from tests.support.alerts import HandClock
from tests.support.receiver import StandIn
from tests.support.samples import a_bet, a_prediction


@dataclass
class Desk:
    """A worker's alerts, and what became of them."""

    folder: Path
    receiver: StandIn
    clock: HandClock = field(default_factory=HandClock)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        settings = Settings(
            _env_file=None,
            data_dir=self.folder,
            n8n_webhook_url=f"{self.receiver.url}/webhook/x",
            alerts_per_hour=2,
        )
        sink = build_sink(settings, self.folder, counted=self._count, dropped=lambda _count: None, clock=self.clock)
        assert sink
        self.sink = sink

    def see(self, *games: str, caller: str = "", after_s: float = 2.0) -> None:
        bets = [a_bet(event=game, selection="home") for game in games]
        self.sink.offer(bets, [a_prediction("A")] * len(bets), model_version="m1", caller=caller)
        self.clock.pass_(after_s)
        self.sink.turn()

    def close(self) -> None:
        self.sink.start()
        self.sink.stop()

    def command(self, *words: str) -> str:
        done = CliRunner().invoke(app, [*words], env={"DATA_DIR": str(self.folder)})
        assert done.exit_code == 0, done.output
        return done.output

    def _count(self, _channel: str, outcome: str, count: int) -> None:
        self.counts[outcome] += count


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with StandIn() as receiver, closing(Desk(tmp_path, receiver)) as desk:
        yield desk


def test_what_is_beyond_the_limit_of_a_key_comes_in_one_digest_an_hour_and_can_be_listed(desk: Desk) -> None:
    desk.see(*(f"game {i}" for i in range(5)), caller="key one")
    desk.see("game 9", caller="key two")
    assert {call.json["bet"]["event"] for call in desk.receiver.calls} == {"game 0", "game 1", "game 9"}
    assert len(desk.receiver.calls) == 3
    desk.see("game 5", caller="key one")
    desk.see(after_s=10)
    [digest] = [call.json for call in desk.receiver.calls if call.json["type"] == "digest"]
    assert digest["left_out"] == 4
    for game in ("game 2", "game 3", "game 4", "game 5"):
        assert game in digest["message"]
        assert game in desk.command("list", "--state", "left-out", "--json")
    assert desk.counts == {"delivered": 4, "left_out": 4}
    desk.see("game 6", caller="key one", after_s=60)
    assert len(desk.receiver.calls) == 4
    desk.see(after_s=3600)
    assert desk.receiver.calls[-1].json["left_out"] == 1


def test_what_is_purged_is_gone_and_not_raised_again(desk: Desk) -> None:
    desk.see("game 0", "game 1", "game 2")
    assert "2 alerts forgotten" in desk.command("purge", "delivered")
    assert "1 alerts forgotten" in desk.command("purge", "left-out")
    assert "game" not in desk.command("list", "--state", "delivered", "--json")
    with closing(Desk(desk.folder, desk.receiver, desk.clock)) as again:  # a worker that remembers nothing itself
        again.see("game 0", "game 1", "game 2")
        assert again.counts == {"duplicate": 3}
    assert [call.json["type"] for call in desk.receiver.calls] == ["high_grade_bet"] * 2

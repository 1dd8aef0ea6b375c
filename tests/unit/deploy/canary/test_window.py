"""What the judge looks at: since both sides got their share, and around a promotion."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.canary.judge import Row, Verdict
from deploy.canary.sample import LOG
from deploy.canary.window import Watch, Window
from deploy.proxy.route import Route
from deploy.slot import Slot
from tests.support.deploy_fakes import Rig, made

PREDICT = "/api/v1/predict"


class Counting:
    """Slots that have predicted so many bets of each grade, a tenth of them with an unknown name."""

    def __init__(self, rig: Rig) -> None:
        self.grades: dict[Slot, Mapping[str, float]] = {"green": {"A": 100, "C": 100}, "canary": {"A": 100, "C": 100}}
        rig.probe.metrics = self.metrics  # type: ignore[method-assign]

    def metrics(self, url: str) -> str | None:
        grades = next((grades for slot, grades in self.grades.items() if url.endswith(slot)), None)
        if grades is None:
            return None
        count = sum(grades.values())
        lines = [
            "# TYPE pikkit_predictions_total counter",
            *(f'pikkit_predictions_total{{sport="s",market="m",grade="{grade}"}} {n}' for grade, n in grades.items()),
            "# TYPE pikkit_unknown_categories_total counter",
            f'pikkit_unknown_categories_total{{column="league"}} {count / 10}',
            "# TYPE pikkit_win_probability histogram",
            f'pikkit_win_probability_bucket{{le="+Inf"}} {count}',
            f"pikkit_win_probability_sum {count / 2}",
            f"pikkit_win_probability_count {count}",
        ]
        return "\n".join(lines) + "\n"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """1 in green, 2 as canary with 10 percent, and a window of the real kind."""
    found = made(tmp_path, "1", "2")
    for slot, version in (("green", "1"), ("canary", "2")):
        found.runtime.start(slot, found.releases.made[version], workers=1)  # type: ignore[arg-type]
    found.router.set(Route(generation=1, production="green", weight=10, canary=True))
    return found


@pytest.fixture
def counting(rig: Rig) -> Counting:
    return Counting(rig)


@pytest.fixture
def window(rig: Rig, counting: Counting) -> Window:
    del counting
    settings = rig.stack.settings
    return Window(settings, rig.runtime, rig.router, rig.probe, rig.stack.journal, rig.clock)


def logged(rig: Rig, slot: Slot, count: int, *, after: float, status: int = 200) -> None:
    folder = rig.stack.settings.run_dir / "nginx/logs"
    folder.mkdir(parents=True, exist_ok=True)
    at = rig.clock.now() + after
    rows = (f"{at:.3f}\t{slot}\t{PREDICT}\t{status}\t0.004\t0\tclient {n}\n" for n in range(count))
    with (folder / LOG).open("a") as file:
        file.write("".join(rows))
    os.utime(folder / LOG, (at + 1000, at + 1000))


def rows_of(verdict: Verdict) -> dict[str, tuple[str, str, str]]:
    return {row.metric: (row.production, row.canary, row.outcome) for row in verdict.rows}


def test_only_what_came_since_both_had_their_share_is_compared(rig: Rig, counting: Counting, window: Window) -> None:
    logged(rig, "green", 300, after=-5)
    window.open()
    for slot, count in (("green", 400), ("canary", 250)):
        logged(rig, slot, count, after=5)  # type: ignore[arg-type]
    counting.grades = {"green": {"A": 500, "C": 300}, "canary": {"A": 150, "C": 250}}
    verdict = window.verdict()
    rows = rows_of(verdict)
    assert rows["requests that count"] == ("400", "250", "pass")
    assert rows["grade mix (percent)"] == ("A67 C33", "A25 C75", "fail")
    assert rows["unknown categories per bet"][:2] == ("10.00%", "10.00%")
    assert rows["mean win probability"] == ("0.500", "0.500", "pass")
    assert rows["restarts"] == ("", "0", "pass")
    rig.runtime.revive("canary")
    assert rows_of(window.verdict())["restarts"] == ("", "1", "fail")


def test_a_canary_that_does_not_answer_fails_and_production_that_does_not_decides_nothing(
    counting: Counting, window: Window
) -> None:
    window.open()
    told = counting.grades
    counting.grades = {"green": told["green"]}
    assert window.verdict() == Verdict("fail", (Row("metrics", "", "no answer", "the canary answers", "fail"),))
    counting.grades = {"canary": told["canary"]}
    undecided = Row("metrics", "no answer", "", "production is comparable", "inconclusive")
    assert window.verdict() == Verdict("inconclusive", (undecided,))


def test_without_a_beginning_on_record_nothing_is_decided(rig: Rig, window: Window) -> None:
    why = "what was counted from is not on record: `canary --weight` begins anew"
    nothing = Verdict("inconclusive", (Row("metrics", "no answer", "", why, "inconclusive"),))
    assert window.verdict() == nothing
    rig.router.set(Route(generation=2, production="green"))
    window.open()  # no canary: nothing to compare
    assert window.verdict() == nothing
    rig.router.set(Route(generation=3, production="green", weight=10, canary=True))
    window.open()
    assert window.verdict() != nothing
    rig.router.set(replace(rig.stack.route(), production="blue"))
    assert window.verdict() == nothing


def test_a_promotion_is_compared_with_the_time_before_it(rig: Rig, window: Window) -> None:
    window.open()
    since = rig.clock.now()
    logged(rig, "green", 300, after=5)
    logged(rig, "blue", 300, after=70, status=500)
    rig.clock.sleep(60)
    window.watch("2", "blue")
    watch = Watch("2", "blue", "green", since, since + 60, 0)
    assert rig.stack.journal.fact("watch", Watch) == watch
    rows = rows_of(window.across(watch))
    assert rows["requests that count"] == ("300", "300", "pass")
    assert rows["5xx"] == ("0.00%", "100.00%", "fail")
    assert rows["restarts"] == ("", "0", "pass")
    assert window.watched() is None  # 2 is not live
    window.keep(None)
    assert rig.stack.journal.fact("watch", Watch) is None

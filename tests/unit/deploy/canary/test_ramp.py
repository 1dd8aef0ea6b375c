"""The ramp: what follows from a verdict, in each state."""

import json

import pytest

from deploy.canary.judge import Outcome
from deploy.canary.ramp import Decision, Ramp, Step
from deploy.files import parsed, plain

RAMP = Ramp("2", (Step(10, 60), Step(50, 30), Step(100, 0)))


@pytest.mark.parametrize(
    ("ramp", "outcome", "decision"),
    [
        (RAMP, "pass", "hold"),
        (RAMP.held(59.9), "pass", "hold"),
        (RAMP.held(60), "pass", "advance"),
        (RAMP.held(60).advanced().held(29), "pass", "hold"),
        (RAMP.held(60).advanced().held(30), "pass", "promote"),  # a step of 100 is the promotion
        (RAMP, "inconclusive", "hold"),
        (RAMP.held(60), "inconclusive", "pause"),
        (RAMP, "fail", "abort"),  # early
        (RAMP.stopped("paused", "x").held(999), "pass", "hold"),
        (RAMP.stopped("paused", "x"), "fail", "abort"),
        (RAMP.stopped("waiting", "x"), "fail", "abort"),
        (Ramp("2", RAMP.steps, manual=True, held_s=60), "pass", "wait"),
        (Ramp("2", RAMP.steps, manual=True, held_s=59), "pass", "hold"),
        (Ramp("2", RAMP.steps, manual=True, held_s=60), "inconclusive", "pause"),
        (Ramp("2", (Step(10, 5),), held_s=5), "pass", "promote"),
    ],
)
def test_what_follows(ramp: Ramp, outcome: Outcome, decision: Decision) -> None:
    assert ramp.decide(outcome) == decision


def test_a_held_ramp_does_not_age() -> None:
    assert RAMP.stopped("paused", "x").held(100).held_s == 0
    assert RAMP.held(7).stopped("paused", "x").resumed().held(1).held_s == 8


@pytest.mark.parametrize(
    ("share", "weights"),
    [(0, [10, 50, 100]), (10, [10, 50, 100]), (30, [30, 50, 100]), (50, [50, 100]), (70, [70, 100])],
)
def test_steps_below_a_share_that_runs_are_left_out(share: int, weights: list[int]) -> None:
    assert [step.weight for step in RAMP.at_least(share).steps] == weights


def test_it_survives_in_the_journal_and_damaged_it_is_none() -> None:
    ramp = RAMP.held(3).stopped("waiting", "why")
    assert parsed(Ramp, json.loads(json.dumps(plain(ramp)))) == ramp
    damaged: tuple[object, ...] = (None, [], {}, "x", {**plain(ramp), "steps": []}, {**plain(ramp), "state": "?"})
    for broken in damaged:
        assert parsed(Ramp, broken) is None

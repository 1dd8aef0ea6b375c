import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pikkit.bets.prediction import BatchAnswer
from pikkit.grading.grader import BatchJob, Options
from pikkit.web.merger import Merger


def job(bets: int, name: str = "") -> BatchJob:
    return BatchJob(models=None, raw=[name] * bets, bets=[None] * bets, options=Options())  # type: ignore[arg-type, list-item]


class Calls:
    """Grades by naming the job, and remembers how many jobs came in each call; refuses jobs named bad."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def grade(self, jobs: Sequence[BatchJob]) -> list[BatchAnswer]:
        self.sizes.append(len(jobs))
        if any(job.raw[0] == "bad" for job in jobs):
            raise ValueError("bad")
        return [{"graded": job.raw[0]} for job in jobs]  # type: ignore[typeddict-item, typeddict-unknown-key]


def answers(calls: Calls, jobs: Sequence[BatchJob]) -> list[Any]:
    async def scenario() -> list[Any]:
        merger = Merger(calls.grade)
        results: list[Any] = await asyncio.gather(*(merger.answer(one) for one in jobs), return_exceptions=True)
        return results

    return asyncio.run(scenario())


def test_requests_that_arrive_together_share_a_call_and_each_gets_its_own_answer() -> None:
    calls = Calls()
    assert answers(calls, [job(5, name) for name in "abc"]) == [{"graded": name} for name in "abc"]
    assert calls.sizes == [3]


def test_a_lone_request_is_graded_at_the_next_turn_of_the_loop_and_waits_for_no_other() -> None:
    calls = Calls()

    async def scenario() -> list[int]:
        merger = Merger(calls.grade)
        first = asyncio.ensure_future(merger.answer(job(1)))
        await asyncio.sleep(0)  # it asks
        await asyncio.sleep(0)  # the loop turns
        seen = list(calls.sizes)
        await first
        await merger.answer(job(1))
        return seen

    assert asyncio.run(scenario()) == [1]
    assert calls.sizes == [1, 1]


@pytest.mark.parametrize(
    ("bets", "sizes"), [([100, 100], [2]), ([100] * 5, [2, 2, 1]), ([100, 100, 1], [2, 1]), ([1] * 7, [7])]
)
def test_a_call_has_at_most_200_bets_and_no_request_is_split(bets: list[int], sizes: list[int]) -> None:
    calls = Calls()
    assert len(answers(calls, [job(n, str(n)) for n in bets])) == len(bets)
    assert calls.sizes == sizes


def test_a_request_that_fails_fails_alone() -> None:
    calls = Calls()
    first, bad, last = answers(calls, [job(1, "a"), job(1, "bad"), job(1, "b")])
    assert (first, last) == ({"graded": "a"}, {"graded": "b"})
    assert isinstance(bad, ValueError)


def test_a_caller_that_has_gone_is_not_graded() -> None:
    calls = Calls()

    async def scenario() -> Any:
        merger = Merger(calls.grade)
        gone = asyncio.ensure_future(merger.answer(job(1, "bad")))
        stays = asyncio.ensure_future(merger.answer(job(1, "a")))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(scenario()) == {"graded": "a"}

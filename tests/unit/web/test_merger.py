import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pikkit.bets.prediction import Prediction
from pikkit.grading.grader import Job, Options
from pikkit.web.merger import Merger


def job(bets: int, name: str = "", *, explain: bool = False) -> Job:
    return Job(None, [name] * bets, [None] * bets, Options(explain=explain))  # type: ignore[arg-type, list-item]


class Calls:
    """Grades by naming the job, and remembers how many jobs came in each call; refuses jobs named bad."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def grade(self, jobs: Sequence[Job]) -> list[list[Prediction]]:
        self.sizes.append(len(jobs))
        if any(job.raw[0] == "bad" for job in jobs):
            raise ValueError("bad")
        return [[{"graded": job.raw[0]}] for job in jobs]  # type: ignore[typeddict-item, typeddict-unknown-key]


def answers(calls: Calls, jobs: Sequence[Job]) -> list[Any]:
    async def scenario() -> list[Any]:
        merger = Merger(calls.grade)
        results: list[Any] = await asyncio.gather(*(merger.predictions(one) for one in jobs), return_exceptions=True)
        return results

    return asyncio.run(scenario())


def test_requests_that_arrive_together_share_a_call_and_each_gets_its_own_answer() -> None:
    calls = Calls()
    assert answers(calls, [job(5, name) for name in "abc"]) == [[{"graded": name}] for name in "abc"]
    assert calls.sizes == [3]


def test_a_few_bets_are_graded_at_once_and_wait_for_no_other_until_a_turn_was_crowded() -> None:
    calls = Calls()

    async def scenario() -> None:
        merger = Merger(calls.grade)

        async def turn(requests: int) -> None:
            await asyncio.gather(*(merger.predictions(job(1)) for _ in range(requests)))
            await asyncio.sleep(0)
            calls.sizes.append(-1)

        for requests in (1, 4, 6, 5, 1, 1):
            await turn(requests)

    asyncio.run(scenario())
    assert calls.sizes == [1, -1, 1, 1, 1, 1, -1, 1, 1, 1, 1, 2, -1, 5, -1, 1, -1, 1, -1]


def test_what_is_more_than_a_call_waits_until_the_answers_before_it_are_on_their_way() -> None:
    calls = Calls()

    async def scenario() -> None:
        merger = Merger(calls.grade)

        async def ask() -> None:
            await merger.predictions(job(150))
            calls.sizes.append(-1)

        await asyncio.gather(ask(), ask())

    asyncio.run(scenario())
    assert calls.sizes == [1, -1, 1, -1]


@pytest.mark.parametrize(
    ("bets", "sizes"), [([100, 100], [2]), ([100] * 5, [2, 2, 1]), ([100, 100, 1], [2, 1]), ([1] * 7, [1, 1, 1, 1, 3])]
)
def test_a_call_has_at_most_200_bets_and_no_request_is_split(bets: list[int], sizes: list[int]) -> None:
    calls = Calls()
    assert len(answers(calls, [job(n, str(n)) for n in bets])) == len(bets)
    assert calls.sizes == sizes


def test_bets_that_are_explained_share_a_call_of_fewer() -> None:
    calls = Calls()
    answers(calls, [job(1, explain=True) for _ in range(45)])
    assert calls.sizes == [1, 1, 1, 1, 20, 20, 1]


def test_a_request_that_fails_fails_alone() -> None:
    calls = Calls()
    first, bad, last = answers(calls, [job(5, "a"), job(5, "bad"), job(5, "b")])
    assert (first, last) == ([{"graded": "a"}], [{"graded": "b"}])
    assert isinstance(bad, ValueError)


def test_a_caller_that_has_gone_is_not_graded() -> None:
    calls = Calls()

    async def scenario() -> Any:
        merger = Merger(calls.grade)
        gone = asyncio.ensure_future(merger.predictions(job(5, "bad")))
        stays = asyncio.ensure_future(merger.predictions(job(5, "a")))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(scenario()) == [{"graded": "a"}]

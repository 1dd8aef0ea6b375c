"""Adaptive batching without a wait: batch requests that arrive in one turn of the event loop share a model call.

BentoML's own dispatcher holds even a lone request back for about 2 ms, in the hope of company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pikkit.bets.prediction import BatchAnswer
from pikkit.grading.grader import BatchJob

__all__ = ["Merger"]

_MOST_BETS = 200  # in one model call; the gain is in the fixed cost of a call, and one answer waits for all of them


class Merger:
    """Grades batch requests together, in the order of their arrival; a request is never split."""

    def __init__(self, grade: Callable[[Sequence[BatchJob]], list[BatchAnswer]]) -> None:
        self._grade = grade
        self._waiting: list[tuple[BatchJob, asyncio.Future[BatchAnswer]]] = []

    async def answer(self, job: BatchJob) -> BatchAnswer:
        """The answer to one request, graded with whatever else arrives before the loop turns."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[BatchAnswer] = loop.create_future()
        self._waiting.append((job, future))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        group: list[tuple[BatchJob, asyncio.Future[BatchAnswer]]] = []
        bets = 0
        for job, future in waiting:
            if future.done():
                continue  # its caller has gone
            if group and bets + len(job.bets) > _MOST_BETS:
                self._settle(group)
                group, bets = [], 0
            group.append((job, future))
            bets += len(job.bets)
        if group:
            self._settle(group)

    def _settle(self, group: Sequence[tuple[BatchJob, asyncio.Future[BatchAnswer]]]) -> None:
        try:
            answers = self._grade([job for job, _ in group])
        except Exception as cause:  # noqa: BLE001 - each request answers for itself
            if len(group) == 1:
                group[0][1].set_exception(cause)
                return
            for one in group:
                self._settle([one])
            return
        for (_, future), answer in zip(group, answers, strict=True):
            future.set_result(answer)

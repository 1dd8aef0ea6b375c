"""Adaptive batching without a wait: requests that arrive in one turn of the event loop share a model call.

BentoML's own dispatcher holds even a lone request back for about 2 ms, in the hope of company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from pikkit.bets.prediction import Prediction
from pikkit.grading.grader import Job

__all__ = ["Merger"]

_FEW_BETS = 4  # of one turn, which gain nothing by sharing a model call
_MOST_BETS = 200  # in one model call; the gain is in the fixed cost of a call, and one answer waits for all of them
_EXPLAINED = 10  # as many bets does one take the time of that is explained, where its row was never seen

_Waiting: TypeAlias = tuple[Job, asyncio.Future[list[Prediction]]]


class Merger:
    """Grades requests together, in the order of their arrival; a request is never split.

    The first few bets of a turn are graded at once, unless the turn before was crowded: who asks alone waits for
    nobody.
    """

    def __init__(self, grade: Callable[[Sequence[Job]], list[list[Prediction]]]) -> None:
        self._grade = grade
        self._waiting: deque[_Waiting] = deque()
        self._arrived = 0  # bets of this turn
        self._crowded = False

    async def predictions(self, job: Job) -> list[Prediction]:
        """The predictions for one request's valid bets."""
        loop = asyncio.get_running_loop()
        if not self._arrived:
            loop.call_soon(self._turn)
        self._arrived += len(job.bets)
        if self._arrived <= _FEW_BETS and not self._crowded:
            return self._grade((job,))[0]
        future: asyncio.Future[list[Prediction]] = loop.create_future()
        self._waiting.append((job, future))
        return await future

    def _turn(self) -> None:
        """The turn is over: grade a call's worth of what waits. The rest waits for another: answers leave first."""
        self._crowded = self._arrived > _FEW_BETS
        self._arrived = 0
        if not self._waiting:
            return
        group: list[_Waiting] = []
        bets = 0
        while self._waiting:
            job, future = self._waiting[0]
            more = len(job.bets) * (_EXPLAINED if job.options.explain else 1)
            if group and bets + more > _MOST_BETS:
                break
            self._waiting.popleft()
            if not future.done():  # else its caller has gone
                group.append((job, future))
                bets += more
        if group:
            self._settle(group)
        if self._waiting:
            self._arrived = len(self._waiting)
            asyncio.get_running_loop().call_soon(self._turn)

    def _settle(self, group: Sequence[_Waiting]) -> None:
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

"""The routes that carry the load, from the body's bytes to the answer's: no router, no request or response objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from pikkit.bento.config import BATCH_PATH, PREDICT_PATH
from pikkit.bets.prediction import BatchAnswer
from pikkit.grading.grader import BatchJob, Grader, Options, options_of
from pikkit.web.merger import Merger
from pikkit.web.responses import read_json

__all__ = ["Answer", "hot_routes"]

Answer = Callable[[bytes, bytes], Awaitable[bytes]]  # body and query string to JSON

_PLAIN = Options()


def hot_routes(grader: Grader, *, merged: Callable[[int], None]) -> Mapping[str, Answer]:
    """Answers of POST requests by path; they raise what the routes raise.

    Args:
        grader: grades.
        merged: told how many batch requests shared a model call.
    """

    def grade_batches(jobs: Sequence[BatchJob]) -> list[BatchAnswer]:
        merged(len(jobs))
        return grader.grade_batches(jobs)

    merger = Merger(grade_batches)

    async def predict(body: bytes, query: bytes) -> bytes:
        options = _options(query)
        data = read_json(body)
        if options.explain:  # in a thread, as the first explanation in a worker takes a second
            return to_json(await run_in_threadpool(grader.grade, data, options), inf_nan_mode="null")
        return to_json(grader.grade(data, options), inf_nan_mode="null")

    async def batch(body: bytes, query: bytes) -> bytes:
        job = grader.read_batch(read_json(body), _options(query))
        if job.options.explain:
            [answer] = await run_in_threadpool(grade_batches, [job])
        else:
            answer = await merger.answer(job)
        return to_json(answer, inf_nan_mode="null")

    return {PREDICT_PATH: predict, BATCH_PATH: batch}


def _options(query: bytes) -> Options:
    return options_of(QueryParams(query)) if query else _PLAIN

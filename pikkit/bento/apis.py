"""The two APIs as BentoML knows them: their schemas for its clients, and how its requests become ours.

Bets are read by the same code as on the shortcut: BentoML's own validation would refuse a batch for one bad bet, and
answer in a shape of its own. Who calls in another format than JSON (`bentoml.depends` sends pickles between
processes of one service) gets plain values and exceptions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from bentoml import IODescriptor
from bentoml.exceptions import BentoMLException
from pydantic import Field, create_model
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response

from pikkit.bets.bet import Bet
from pikkit.errors import PikkitError
from pikkit.grading.grader import MAX_BETS, Job, Options
from pikkit.web.exchange import error_response
from pikkit.web.handlers import Handlers, json_response
from pikkit.web.mounted import request_of
from pikkit.web.request import Request
from pikkit.web.routes import BATCH, PREDICT, Route, find

__all__ = [
    "BatchInput",
    "BetInput",
    "MergedInput",
    "MergedOutput",
    "Refused",
    "batch_predict",
    "batch_predict_merged",
    "predict",
]

_FLAGS: dict[str, Any] = {
    "explain": (bool, Field(False, description="Adds `reasons` to each prediction")),
    "dry_run": (bool, Field(False, description="Raises no alert and leaves no trace in the prediction log")),
}
_BetWithFlags = create_model("BetWithFlags", __base__=Bet, **_FLAGS)
_BETS: Any = Field(
    description=f"1 to {MAX_BETS} bets; a bad one costs only itself",
    json_schema_extra={"minItems": 1, "maxItems": MAX_BETS},
)


class Refused(BentoMLException):
    """An error of ours for who calls the APIs from Python."""

    def __init__(self, error: PikkitError) -> None:
        super().__init__(error.message, error_code=HTTPStatus(error.status))


def _one_value(value: Any, /) -> None:
    """The signature of an API with one positional argument of any kind."""


_OneValue: Any = IODescriptor.from_input(_one_value)


class BetInput(_OneValue):
    """The argument of `predict`: described as a bet, read by us."""

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """That of a bet, `explain` and `dry_run` among its fields."""
        return {**_BetWithFlags.model_json_schema(*arguments, **options), "root_input": True}

    @classmethod
    async def from_http_request(cls, request: StarletteRequest, serde: Any) -> Any:
        """The request as our handlers take it."""
        if not _is_json(request):
            return await super().from_http_request(request, serde)
        return cls.model_construct(root=await request_of(_row(PREDICT), request))


class BatchInput(IODescriptor):
    """The arguments of `batch_predict`."""

    bets: Any = _BETS
    explain: bool = _FLAGS["explain"][1]
    dry_run: bool = _FLAGS["dry_run"][1]

    @classmethod
    async def from_http_request(cls, request: StarletteRequest, serde: Any) -> Any:
        """The request as our handlers take it, in the place of the bets."""
        if not _is_json(request):
            return await super().from_http_request(request, serde)
        return cls.model_construct(bets=await request_of(_row(BATCH), request))


class MergedInput(IODescriptor):
    """The same where BentoML's dispatcher merges requests: a request is one element of its list, and never split."""

    bets: Any = _BETS

    @classmethod
    async def from_http_request(cls, request: StarletteRequest, serde: Any) -> Any:
        """A list with the one request."""
        if not _is_json(request):
            given = await super().from_http_request(request, serde)
            return cls.model_construct(bets=[given.bets])
        return cls.model_construct(bets=[await request_of(_row(BATCH), request)])


class MergedOutput(IODescriptor):
    """A list with the one answer."""

    @classmethod
    async def to_http_response(cls, obj: list[Any], _serde: Any) -> Response:
        """The answer as JSON."""
        [answer] = obj
        return answer if isinstance(answer, Response) else json_response(answer)


async def predict(handlers: Handlers, bet: Any) -> Any:
    """The prediction for a request, or for a bet (an object, or its fields).

    Raises:
        Refused: the bet is no request, and is refused.
    """
    if isinstance(bet, Request):
        return await _answered(handlers.predict, bet)
    fields = _fields(bet)
    asked = fields if isinstance(fields, dict) else {}
    options = _options(asked.pop("explain", False), asked.pop("dry_run", False))
    try:
        return await handlers.grade(fields, options)
    except PikkitError as error:
        raise Refused(error) from error


async def batch_predict(handlers: Handlers, bets: Any, *, explain: bool = False, dry_run: bool = False) -> Any:
    """The answer to a batch request, or to a list of bets.

    Raises:
        Refused: they are no request, and are refused as a whole.
    """
    if isinstance(bets, Request):
        return await _answered(handlers.batch_predict, bets)
    try:
        return await handlers.grade_batch(_job(handlers, bets, _options(explain, dry_run)))
    except PikkitError as error:
        raise Refused(error) from error


async def batch_predict_merged(handlers: Handlers, batches: Sequence[Any]) -> list[Any]:
    """The answers to batch requests, or to lists of bets, that BentoML's dispatcher merged; errors among them."""
    jobs: list[Job | Response] = []
    for batch in batches:
        try:
            job = handlers.read_batch(batch) if isinstance(batch, Request) else _job(handlers, batch, Options())
            jobs.append(job)
        except PikkitError as error:
            jobs.append(error_response(error))
    answers = iter(await handlers.grade_batches([job for job in jobs if isinstance(job, Job)]))
    return [next(answers) if isinstance(job, Job) else job for job in jobs]


async def _answered(handler: Callable[[Request], Awaitable[Any]], request: Request) -> Any:
    try:
        return await handler(request)
    except PikkitError as error:
        return error_response(error)


def _job(handlers: Handlers, bets: Any, options: Options) -> Job:
    listed = [_fields(bet) if isinstance(bet, Bet) else bet for bet in bets] if isinstance(bets, list | tuple) else bets
    return handlers.job({"bets": listed}, options)


def _options(explain: Any, dry_run: Any) -> Options:
    return Options(explain=explain is True, dry_run=dry_run is True)


def _fields(bet: Any) -> Any:
    """What a caller would have sent; the odds of a validated bet are American."""
    if isinstance(bet, Bet):
        return {**bet.model_dump(mode="json", exclude_none=True), "odds_format": "american"}
    return dict(bet) if isinstance(bet, Mapping) else bet


def _row(path: str) -> Route:
    rows = find(path)
    assert rows is not None  # noqa: S101 - both are in the table
    return rows["POST"]


def _is_json(request: StarletteRequest) -> bool:
    return not request.headers.get("content-type", "").startswith("application/vnd.bentoml")

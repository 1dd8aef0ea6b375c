"""What the routes do: each reads its request, calls the grader or the status, and returns JSON. Nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from pikkit.bets.bet import LISTS
from pikkit.bets.prediction import BatchAnswer, Prediction
from pikkit.bets.reading import FIELDS
from pikkit.errors import InvalidBet
from pikkit.grading.grader import Grader, Job, Options, batch_answer
from pikkit.telemetry.scrape import Exposed
from pikkit.web.legacy import FIELDS as LEGACY_FIELDS
from pikkit.web.legacy import legacy_bet
from pikkit.web.options import OPTIONS, refuse_near_misses, refuse_repeated
from pikkit.web.request import Request, read_batch_body, read_field
from pikkit.web.status import Status

__all__ = ["ASSETS", "Handlers", "Merging", "json_response"]

_PAGES = Path(__file__).parent / "static"
_ASSET_TYPES = frozenset({".css", ".js", ".svg", ".png", ".ico"})
ASSETS: Mapping[str, Path] = {f"/static/{file.name}": file for file in _PAGES.iterdir() if file.suffix in _ASSET_TYPES}
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_LEGACY_FIELDS = frozenset(LEGACY_FIELDS)
_ENVELOPE = ("bets", *OPTIONS)


class Merging(Protocol):
    """The port to whoever grades requests that wait at the same time in one model call."""

    async def predictions(self, job: Job) -> list[Prediction]:
        """The predictions for one request's valid bets."""
        ...


class Handlers:
    """Everything that the service answers, whatever carries the request."""

    def __init__(
        self,
        grader: Grader,
        status: Status,
        *,
        merger: Merging,
        scrape: Callable[[str, str], Awaitable[Exposed]],
        document: Mapping[str, Any],
    ) -> None:
        self._grader = grader
        self._status = status
        self._merger = merger
        self._scrape = scrape
        self._document = to_json(document)

    async def predict(self, request: Request) -> Prediction:
        """One bet in the body."""
        data, options = request.bet()
        return await self.grade(data, options)

    async def predict_query(self, request: Request) -> Prediction:
        """One bet as query parameters; raises no alert."""
        parameters = request.parameters
        if len(parameters) < len(request.pairs):
            refuse_repeated(request.pairs, FIELDS)
        bet: dict[str, Any] = {name: parameters[name] for name in parameters.keys() & FIELDS}
        for name in bet.keys() & LISTS:  # written as JSON
            if bet[name].strip():  # what is blank is absent
                bet[name] = read_field(name, bet[name])
        return await self.grade(bet, request.options(known=FIELDS))

    async def batch_predict(self, request: Request) -> BatchAnswer:
        """1 to 100 bets in the body."""
        return await self.grade_batch(self.read_batch(request))

    def read_batch(self, request: Request) -> Job:
        """The bets of a batch request, each read or with its error."""
        data, undecoded = read_batch_body(request.body)
        options = request.options(data)
        if isinstance(data, dict):
            refuse_near_misses(data, _ENVELOPE)
        return self.job(data, options, undecoded)

    def job(self, data: object, options: Options, undecoded: Mapping[int, InvalidBet] = MappingProxyType({})) -> Job:
        """The same of a decoded body."""
        return self._grader.read_batch(data, options, undecoded)

    async def legacy_predict(self, request: Request) -> Prediction:
        """The extension's first call, kept: a flat prediction from query parameters."""
        bet, warnings = legacy_bet(request.parameters)
        if bet.get("sport") and not str(bet.get("league", "")).strip():  # a missing sport is named first
            raise InvalidBet("league is missing: send text of 1 to 200 characters", field="league")
        prediction = await self.grade(bet, request.options(known=_LEGACY_FIELDS, legacy=True))
        prediction["warnings"] += warnings
        return prediction

    async def legacy_batch(self, request: Request) -> dict[str, Any]:
        """The extension's first batch call, kept: predictions or errors in the order of the bets."""
        data, undecoded = read_batch_body(request.body)
        options = request.options(data, legacy=True)
        raw = data.get("bets") if isinstance(data, dict) else None
        read = [legacy_bet(bet) if isinstance(bet, dict) else (bet, []) for bet in raw] if isinstance(raw, list) else []
        bets = {"bets": [bet for bet, _ in read]} if isinstance(raw, list) else data
        answer = await self.grade_batch(self.job(bets, options, undecoded))
        results: list[Any] = [None] * answer["summary"]["total"]
        for item in answer["predictions"]:
            item["prediction"]["warnings"] += read[item["index"]][1]
            results[item["index"]] = item["prediction"]
        for failed in answer["errors"]:
            results[failed["index"]] = {"error": failed["error"]}
        return {"predictions": results, "count": len(results)}

    async def model_info(self, request: Request) -> Response:
        """What is known of the model set that serves."""
        body = to_json(self._status.model_info(), inf_nan_mode="null")
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        held = [given.strip().removeprefix("W/") for given in request.header(b"if-none-match").split(",")]
        if etag in held:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    async def reload_models(self, _request: Request) -> Mapping[str, Any]:
        """Look at MODEL_DIR now."""
        return await self._status.reload()

    async def drift_report(self, _request: Request) -> Mapping[str, Any]:
        """Live traffic against the training baseline."""
        return await run_in_threadpool(self._status.drift)

    async def health(self, _request: Request) -> Response:
        """For the load balancer: 503 without models."""
        health = self._status.health()
        return json_response(health, 200 if health["models_loaded"] else 503)

    async def ready(self, _request: Request) -> Response:
        """200 once models are loaded and warmed."""
        ready = self._status.ready()
        return json_response({"status": "ready" if ready else "starting"}, 200 if ready else 503)

    async def live(self, _request: Request) -> Mapping[str, Any]:
        """200 while the process answers."""
        return {"status": "alive"}

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, or OpenMetrics where it is asked for."""
        told = await self._scrape(request.header(b"accept"), request.header(b"accept-encoding"))
        return Response(told.body, headers=told.headers)

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json")

    async def index_page(self, _request: Request) -> Response:
        """The page that grades bets."""
        return FileResponse(_PAGES / "index.html", headers=_PAGE_HEADERS)

    async def docs_page(self, _request: Request) -> Response:
        """The OpenAPI document, for people."""
        return FileResponse(_PAGES / "docs.html", headers=_PAGE_HEADERS)

    async def drift_page(self, _request: Request) -> Response:
        """The drift report, for people."""
        return FileResponse(_PAGES / "drift.html", headers=_PAGE_HEADERS)

    async def asset(self, request: Request) -> Response:
        """A style sheet, script or picture of the pages."""
        return FileResponse(ASSETS[request.path], headers=_PAGE_HEADERS)

    async def grade(self, bet: object, options: Options) -> Prediction:
        """The prediction for one bet."""
        job = self._grader.read(bet, options)
        if options.explain and self._grader.explains_slowly():
            return (await self._explained([job]))[0][0]
        return (await self._merger.predictions(job))[0]

    async def grade_batch(self, job: Job) -> BatchAnswer:
        """The answer to one batch."""
        if job.options.explain:
            return batch_answer(job, (await self._explained([job]))[0])
        return batch_answer(job, await self._merger.predictions(job))

    async def grade_batches(self, jobs: Sequence[Job]) -> list[BatchAnswer]:
        """The answers to batches that were merged already."""
        graded = await self._explained(jobs, slow=any(job.options.explain for job in jobs))
        return list(map(batch_answer, jobs, graded))

    async def _explained(self, jobs: Sequence[Job], *, slow: bool = True) -> list[list[Prediction]]:
        """Predictions by themselves; where they take their time, in a thread."""
        return await run_in_threadpool(self._grader.grade, jobs) if slow else self._grader.grade(jobs)


def json_response(content: Any, status: int = 200) -> Response:
    """JSON of `content`; what is no number leaves as null."""
    return Response(to_json(content, inf_nan_mode="null"), status, media_type="application/json")

"""The routes beside BentoML's own: each parses, calls the grader or the hub, and writes JSON. Nothing else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, Router
from starlette.types import Scope

from pikkit.bento.config import PREDICT_PATH
from pikkit.bets.prediction import BatchAnswer, Prediction
from pikkit.errors import Forbidden, NotFound, Unauthorized
from pikkit.grading.grader import BatchJob, Grader, Options, options_of
from pikkit.settings import Settings
from pikkit.telemetry.scrape import Exposed
from pikkit.web.legacy import legacy_bet
from pikkit.web.openapi import document
from pikkit.web.responses import json_response, read_json
from pikkit.web.status import Status

__all__ = ["Routes", "grade_batches"]

_PAGES = Path(__file__).parent / "static"
_ASSETS = frozenset({".css", ".js", ".svg", ".png", ".ico"})
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


async def grade_batches(grader: Grader, jobs: Sequence[BatchJob]) -> list[BatchAnswer]:
    """Grade batches; explained ones in a thread, as the first in a worker takes a second."""
    if any(job.options.explain for job in jobs):
        return await run_in_threadpool(grader.grade_batches, jobs)
    return grader.grade_batches(jobs)


class Routes:
    """Everything that the mounted application answers."""

    def __init__(
        self, settings: Settings, grader: Grader, status: Status, *, scrape: Callable[[str, str], Awaitable[Exposed]]
    ) -> None:
        self._settings = settings
        self._grader = grader
        self._status = status
        self._scrape = scrape
        self._openapi = to_json(document(settings))

    def prepare_batch(self, scope: Scope) -> None:
        """Read a batch before BentoML does, so that its errors are ours; leaves a BatchJob in the scope's state."""
        request = Request(scope)
        scope["state"]["batch"] = self._grader.read_batch(read_json(_body(request)), options_of(request.query_params))

    def router(self) -> Router:
        """The ASGI application."""
        return Router(
            [
                Route(PREDICT_PATH, self.predict_post, methods=["POST"]),
                Route(PREDICT_PATH, self.predict_get, methods=["GET"]),
                Route("/api/v1/model-info", self.model_info, methods=["GET"]),
                Route("/api/v1/reload-models", self.reload_models, methods=["POST"]),
                Route("/api/v1/drift-report", self.drift_report, methods=["GET"]),
                Route("/ml-predict", self.legacy_predict, methods=["GET"]),
                Route("/batch-predict", self.legacy_batch, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
                Route("/ready", self.ready, methods=["GET"]),
                Route("/live", self.live, methods=["GET"]),
                Route("/metrics", self.metrics, methods=["GET"]),
                Route("/openapi.json", self.openapi, methods=["GET"]),
                Route("/docs", self.page("docs.html"), methods=["GET"]),
                Route("/drift", self.page("drift.html"), methods=["GET"]),
                Route("/", self.page("index.html"), methods=["GET"]),
                Route("/static/{name}", self.asset, methods=["GET"]),
            ]
        )

    async def predict_post(self, request: Request) -> Response:
        """One bet in the body."""
        return json_response(await self._graded(read_json(_body(request)), options_of(request.query_params)))

    async def predict_get(self, request: Request) -> Response:
        """One bet as query parameters; raises no alert."""
        bet = {name: value for name, value in request.query_params.items() if name not in ("explain", "dry_run")}
        return json_response(await self._graded(bet, options_of(request.query_params, raises_alerts=False)))

    async def legacy_predict(self, request: Request) -> Response:
        """The extension's first call, kept: a flat prediction from query parameters."""
        bet, warnings = legacy_bet(dict(request.query_params))
        prediction = await self._graded(bet, options_of(request.query_params, names_unknown_fields=False))
        prediction["warnings"] += warnings
        return json_response(prediction)

    async def legacy_batch(self, request: Request) -> Response:
        """The extension's first batch call, kept: predictions or errors in the order of the bets."""
        data = read_json(_body(request))
        raw = data.get("bets") if isinstance(data, dict) else None
        warned = (
            [legacy_bet(bet) if isinstance(bet, dict) else (bet, []) for bet in raw] if isinstance(raw, list) else []
        )
        bets = {"bets": [bet for bet, _ in warned]} if isinstance(raw, list) else data
        job = self._grader.read_batch(bets, options_of(request.query_params, names_unknown_fields=False))
        [answer] = await grade_batches(self._grader, [job])
        results: list[Any] = [None] * len(job.bets)
        for item in answer["predictions"]:
            item["prediction"]["warnings"] += warned[item["index"]][1]
            results[item["index"]] = item["prediction"]
        for failed in answer["errors"]:
            results[failed["index"]] = {"error": failed["error"]}
        return json_response({"predictions": results, "count": len(results)})

    async def model_info(self, request: Request) -> Response:
        """What is known of the model set that serves."""
        body = to_json(self._status.model_info(), inf_nan_mode="null")
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        if etag in [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    async def reload_models(self, request: Request) -> Response:
        """Look at MODEL_DIR now."""
        self._check_admin(request)
        return json_response(await self._status.reload())

    async def drift_report(self, _request: Request) -> Response:
        """Live traffic against the training baseline."""
        return json_response(await run_in_threadpool(self._status.drift))

    async def health(self, _request: Request) -> Response:
        """For the load balancer: 503 without models."""
        health = self._status.health()
        return json_response(health, 200 if health["models_loaded"] else 503)

    async def ready(self, _request: Request) -> Response:
        """200 once models are loaded and warmed."""
        ready = self._status.ready()
        return json_response({"status": "ready" if ready else "starting"}, 200 if ready else 503)

    async def live(self, _request: Request) -> Response:
        """200 while the process answers."""
        return json_response({"status": "alive"})

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, or OpenMetrics where it is asked for."""
        headers = request.headers
        told = await self._scrape(headers.get("accept", ""), headers.get("accept-encoding", ""))
        return Response(told.body, headers=told.headers)

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._openapi, media_type="application/json")

    def page(self, name: str) -> Callable[[Request], Any]:
        """An endpoint that serves one of the pages."""

        async def endpoint(_request: Request) -> Response:
            return FileResponse(_PAGES / name, headers=_PAGE_HEADERS)

        return endpoint

    async def asset(self, request: Request) -> Response:
        """A style sheet, script or picture of the pages."""
        path = _PAGES / request.path_params["name"]
        if path.parent != _PAGES or path.suffix not in _ASSETS or not path.is_file():
            raise NotFound(f"no asset {request.path_params['name'][:100]!r}")
        return FileResponse(path, headers=_PAGE_HEADERS)

    async def _graded(self, bet: object, options: Options) -> Prediction:
        """The prediction; explained ones in a thread, as the first in a worker takes a second."""
        if options.explain:
            return await run_in_threadpool(self._grader.grade, bet, options)
        return self._grader.grade(bet, options)

    def _check_admin(self, request: Request) -> None:
        token = self._settings.admin_token
        if token is None:
            if self._settings.environment == "production":
                raise Forbidden("reloading is closed: set ADMIN_TOKEN and send it as 'Authorization: Bearer …'")
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get(
            "x-admin-token", ""
        )
        if not given:
            raise Unauthorized("no admin token: send it as 'Authorization: Bearer …' or X-Admin-Token")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise Forbidden("the admin token is wrong")


def _body(request: Request) -> bytes:
    body: bytes = request.scope["state"]["body"]
    return body

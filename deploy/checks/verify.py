"""`verify`: whether a live address keeps the contract, serves the version it should, and stands a bounded load."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
from annotated_types import Len
from pydantic import BaseModel, Field, ValidationError, create_model

from deploy.checks.gates import SMOKE_BET

__all__ = ["Check", "verify_contract", "verify_load"]

_DRY = {"dry_run": "true"}
_SHOWN = 200
_OK = httpx.codes.OK
_Share = Annotated[float, Field(ge=0, le=1)]
_One = Annotated[list[Any], Len(1, 1)]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `fault` is None when it is as it should be."""

    name: str
    fault: str | None = None


_HEALTH = create_model(
    "Health",
    status=str,
    models_loaded=Literal[True],
    model_timestamp=str | None,
    environment=str,
    version=str,
    uptime_seconds=float,
)
_READY = create_model("Ready", status=Literal["ready"])
_LIVE = create_model("Live", status=Literal["alive"])
_MODEL_INFO = create_model("ModelInfo", metadata=dict[str, Any], feature_names=list[str], feature_count=int)
_PREDICTION = create_model(
    "Prediction",
    win_probability=_Share,
    expected_roi=float,
    kelly_fraction=float,
    recommended_stake_pct=float,
    confidence=_Share,
    bet_grade=Literal["A", "B", "C", "D", "F"],
    profitable=bool,
    timestamp=str,
    model_version=str,
)
_BATCH = create_model("Batch", predictions=_One, errors=_One, summary=dict[str, Any])  # of a good bet and a bad one
_LEGACY_BATCH = create_model("Batch", predictions=_One, count=Literal[1])
_OPENAPI = create_model("OpenAPI", openapi=str, paths=dict[str, Any])
_ERROR = create_model("Error", error=create_model("Reason", code=str, message=str))


def verify_contract(client: httpx.Client, version: str | None) -> list[Check]:
    """The whole contract, once. `client` has the base address and the API key, if there is one."""
    bet = dict(SMOKE_BET)
    asked = [
        _ask(client, "GET", "/health", _HEALTH),
        _ask(client, "GET", "/ready", _READY),
        _ask(client, "GET", "/live", _LIVE),
        _ask(client, "GET", "/api/v1/model-info", _MODEL_INFO),
        _ask(client, "POST", "/api/v1/predict", _PREDICTION, params=_DRY, json=bet),
        _ask(client, "GET", "/api/v1/predict", _PREDICTION, params={**bet, **_DRY}),
        _ask(client, "POST", "/api/v1/batch-predict", _BATCH, params=_DRY, json={"bets": [bet, {"sport": "x"}]}),
        _ask(client, "GET", "/ml-predict", _PREDICTION, params={**bet, **_DRY, "is_live": "false"}),
        _ask(client, "POST", "/batch-predict", _LEGACY_BATCH, params=_DRY, json={"bets": [bet]}),
        _ask(client, "GET", "/openapi.json", _OPENAPI),
        _ask(client, "POST", "/api/v1/predict", _ERROR, "odds of 50 are refused", json={**bet, "odds": 50}),
        _ask(client, "POST", "/api/v1/predict", _ERROR, "a body that is no JSON is refused", content=b"{"),
        _ask(client, "GET", "/metrics", None, "metrics are closed"),
        _ask(client, "POST", "/api/v1/reload-models", None, "reloading is closed"),
    ]
    found = {check.name: answer for check, answer in asked}
    post, get = found["POST /api/v1/predict"], found["GET /api/v1/predict"]
    checks = [check for check, _ in asked]
    if version is not None:
        checks.append(_equal(f"version is {version}", found["GET /health"], "version", version))
    same = ("win_probability", "expected_roi", "bet_grade")
    checks += [_equal(f"GET and POST agree on {name}", get, name, _content(post).get(name)) for name in same]
    for name in ("X-Served-By", "X-Request-ID"):
        told = post is not None and name in post.headers
        checks.append(Check(f"{name} is there", None if told else "the header is missing"))
    return checks


def verify_load(
    client: httpx.Client, *, requests: int, seconds: float, clients: int, p95_s: float
) -> tuple[list[Check], str]:
    """Predictions by a few clients at a time, until there are so many or time is up; the checks, and a summary."""
    end = time.monotonic() + seconds

    def ask(_: int) -> tuple[float, str | None] | None:
        """The seconds that a prediction took, and what was wrong with it; None once time is up."""
        begin = time.monotonic()
        if begin >= end:
            return None
        try:
            status = client.post("/api/v1/predict", params=_DRY, json=dict(SMOKE_BET)).status_code
            fault = None if status == _OK else str(status)
        except httpx.HTTPError as error:
            fault = type(error).__name__
        return time.monotonic() - begin, fault

    with ThreadPoolExecutor(clients) as pool:
        told = [one for one in pool.map(ask, range(requests)) if one]
    failures = Counter(fault for _, fault in told if fault)
    total, failed = len(told), failures.total()
    p95 = sorted(took for took, _ in told)[math.ceil(0.95 * total) - 1] if total else math.inf
    fault = None if total and not failed else f"{failed} of {total} failed: {dict(failures)}"
    slow = None if p95 <= p95_s else f"it is {p95 * 1000:.1f} ms"
    return [
        Check("error rate under load is at most 0.0%", fault),
        Check(f"p95 under load is at most {p95_s * 1000:g} ms", slow),
    ], f"{total} requests, {failed} failed, p95 {p95 * 1000:.1f} ms"


def _ask(
    client: httpx.Client, method: str, path: str, shape: type[BaseModel] | None, name: str = "", **sent: Any
) -> tuple[Check, httpx.Response | None]:
    """Whether the answer has that shape (None: it is closed to clients), and the answer."""
    name = name or f"{method} {path}"
    expected: Sequence[int] = (401, 403, 404) if shape is None else (400,) if shape is _ERROR else (200,)
    try:
        answer = client.request(method, path, **sent)
    except httpx.HTTPError as error:
        return Check(name, f"no answer ({type(error).__name__}: {error})"), None
    if answer.status_code not in expected:
        return Check(name, f"status {answer.status_code}: {answer.text[:_SHOWN]}"), answer
    try:
        if shape:
            shape.model_validate_json(answer.content, strict=True)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}" for fault in error.errors())
        return Check(name, "; ".join(faults)[:_SHOWN]), answer
    return Check(name), answer


def _content(answer: httpx.Response | None) -> Mapping[str, Any]:
    try:
        body = answer.json() if answer is not None else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _equal(name: str, answer: httpx.Response | None, field: str, value: object) -> Check:
    seen = _content(answer).get(field)
    return Check(name, f"{field} is {seen!r}, not {value!r}" if seen is None or seen != value else None)

"""`verify`: whether a live address keeps the contract, serves the version it should, and stands a bounded load."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.checks.gates import SMOKE_BET

__all__ = ["Check", "Thresholds", "verify_contract", "verify_load"]

_PREDICTION = {
    "win_probability",
    "expected_roi",
    "kelly_fraction",
    "recommended_stake_pct",
    "confidence",
    "bet_grade",
    "profitable",
    "timestamp",
    "model_version",
}
_HEALTH = {"status", "models_loaded", "model_timestamp", "environment", "version", "uptime_seconds"}
_OK, _BAD = 200, 400


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `fault` is None when it is as it should be."""

    name: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of the load test: it ends after `requests` or `seconds`, whichever is first."""

    requests: int = 500
    seconds: float = 20.0
    clients: int = 8
    p95_s: float = 0.5
    error_rate: float = 0.0


def verify_contract(client: httpx.Client, version: str | None, models: str | None = None) -> list[Check]:
    """The whole contract, once. `client` has the base address and the API key, if there is one."""
    bet = dict(SMOKE_BET)
    dry = {"dry_run": "true"}
    health = _try(lambda: client.get("/health"))
    checks = [
        _expect("GET /health", health, _fields(_HEALTH)),
        _expect("models are loaded", health, lambda body: None if body.get("models_loaded") else "they are not"),
    ]
    if version is not None:
        checks.append(_expect(f"version is {version}", health, _equals("version", version)))
    info = _try(lambda: client.get("/api/v1/model-info"))
    checks.append(_expect("GET /api/v1/model-info", info, _fields({"metadata", "feature_names", "feature_count"})))
    if models is not None:
        checks.append(_expect(f"model set is {models[:12]}", info, _equals("sha256", models)))
    post = _try(lambda: client.post("/api/v1/predict", params=dry, json=bet))
    get = _try(lambda: client.get("/api/v1/predict", params={**bet, **dry}))
    batch = _try(lambda: client.post("/api/v1/batch-predict", params=dry, json={"bets": [bet, {"sport": "x"}]}))
    checks += [
        _expect("GET /ready", _try(lambda: client.get("/ready")), _equals("status", "ready")),
        _expect("GET /live", _try(lambda: client.get("/live")), _equals("status", "alive")),
        _expect("POST /api/v1/predict", post, _prediction),
        _expect("GET /api/v1/predict", get, _prediction),
        Check("GET and POST agree", _same(post, get)),
        _expect("POST /api/v1/batch-predict", batch, _batch),
        _expect(
            "GET /ml-predict",
            _try(lambda: client.get("/ml-predict", params={**bet, **dry, "is_live": "false"})),
            _prediction,
        ),
        _expect(
            "POST /batch-predict",
            _try(lambda: client.post("/batch-predict", params=dry, json={"bets": [bet]})),
            lambda body: None if body.get("count") == 1 else f"count is {body.get('count')!r}",
        ),
        _expect("GET /openapi.json", _try(lambda: client.get("/openapi.json")), _fields({"openapi", "paths"})),
        _refused("odds of 50 are refused", _try(lambda: client.post("/api/v1/predict", json={**bet, "odds": 50}))),
        _refused("a body that is no JSON is refused", _try(lambda: client.post("/api/v1/predict", content=b"{"))),
        _closed("metrics are closed", _try(lambda: client.get("/metrics"))),
        _closed("reloading is closed", _try(lambda: client.post("/api/v1/reload-models"))),
        Check("X-Served-By tells the slot", None if _header(post, "x-served-by") else "the header is missing"),
        Check("X-Request-ID is there", None if _header(post, "x-request-id") else "the header is missing"),
    ]
    return checks


async def verify_load(
    url: str, headers: Mapping[str, str], limits: Thresholds, *, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[list[Check], str]:
    """Predictions by a few clients at a time, bounded in count and time; the checks, and a summary."""
    seconds: list[float] = []
    failures: dict[str, int] = {}
    left = limits.requests
    end = time.monotonic() + limits.seconds
    async with httpx.AsyncClient(base_url=url, headers=dict(headers), timeout=10, transport=transport) as client:

        async def work() -> None:
            nonlocal left
            while left > 0 and time.monotonic() < end:
                left -= 1
                begin = time.perf_counter()
                try:
                    answer = await client.post("/api/v1/predict", params={"dry_run": "true"}, json=dict(SMOKE_BET))
                    fault = None if answer.status_code == _OK else str(answer.status_code)
                except httpx.HTTPError as error:
                    fault = type(error).__name__
                if fault:
                    failures[fault] = failures.get(fault, 0) + 1
                seconds.append(time.perf_counter() - begin)

        await asyncio.gather(*(work() for _ in range(limits.clients)))
    total, failed = len(seconds), sum(failures.values())
    p95 = sorted(seconds)[math.ceil(0.95 * total) - 1] if total else math.inf
    rate = failed / total if total else 1.0
    summary = f"{total} requests, {failed} failed, p95 {p95 * 1000:.1f} ms"
    return [
        Check(
            f"error rate under load is at most {limits.error_rate:.1%}",
            None if rate <= limits.error_rate else f"{failed} of {total} failed: {failures}",
        ),
        Check(
            f"p95 under load is at most {limits.p95_s * 1000:g} ms",
            None if p95 <= limits.p95_s else f"it is {p95 * 1000:.1f} ms",
        ),
    ], summary


def _try(call: Callable[[], httpx.Response]) -> httpx.Response | str:
    try:
        return call()
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__}: {error})"


def _body(answer: httpx.Response | str) -> Mapping[str, Any] | str:
    if isinstance(answer, str):
        return answer
    try:
        body = answer.json()
    except ValueError:
        return f"{answer.status_code} with a body that is no JSON"
    return body if isinstance(body, dict) else f"{answer.status_code} with {type(body).__name__}, not an object"


def _expect(name: str, answer: httpx.Response | str, look: Callable[[Mapping[str, Any]], str | None]) -> Check:
    body = _body(answer)
    if isinstance(body, str):
        return Check(name, body)
    if isinstance(answer, httpx.Response) and answer.status_code != _OK:
        return Check(name, f"status {answer.status_code}: {str(body)[:200]}")
    return Check(name, look(body))


def _fields(names: set[str]) -> Callable[[Mapping[str, Any]], str | None]:
    def look(body: Mapping[str, Any]) -> str | None:
        missing = sorted(names - body.keys())
        return f"lacks {', '.join(missing)}" if missing else None

    return look


def _equals(name: str, value: str) -> Callable[[Mapping[str, Any]], str | None]:
    return lambda body: None if body.get(name) == value else f"{name} is {body.get(name)!r}"


def _prediction(body: Mapping[str, Any]) -> str | None:
    missing = _fields(_PREDICTION)(body)
    if missing:
        return missing
    if not 0 <= body["win_probability"] <= 1 or not 0 <= body["confidence"] <= 1:
        return f"win_probability {body['win_probability']} or confidence {body['confidence']} is no fraction"
    return None if body["bet_grade"] in tuple("ABCDF") else f"bet_grade is {body['bet_grade']!r}"


def _batch(body: Mapping[str, Any]) -> str | None:
    missing = _fields({"predictions", "errors", "summary"})(body)
    if missing:
        return missing
    counts = (len(body["predictions"]), len(body["errors"]))
    return None if counts == (1, 1) else f"one good and one bad bet gave {counts[0]} predictions, {counts[1]} errors"


def _same(one: httpx.Response | str, other: httpx.Response | str) -> str | None:
    names: Sequence[str] = ("win_probability", "expected_roi", "bet_grade")
    left, right = _body(one), _body(other)
    if isinstance(left, str) or isinstance(right, str):
        return "one of them has no answer"
    differing = [name for name in names if left.get(name) != right.get(name)]
    return f"{', '.join(differing)} differ" if differing else None


def _refused(name: str, answer: httpx.Response | str) -> Check:
    body = _body(answer)
    if isinstance(body, str) or isinstance(answer, str):
        return Check(name, str(body))
    error = body.get("error")
    right = answer.status_code == _BAD and isinstance(error, dict) and {"code", "message"} <= error.keys()
    return Check(name, None if right else f"status {answer.status_code}: {str(body)[:200]}")


def _closed(name: str, answer: httpx.Response | str) -> Check:
    if isinstance(answer, str):
        return Check(name, answer)
    return Check(name, None if answer.status_code in (401, 403, 404) else f"status {answer.status_code}")


def _header(answer: httpx.Response | str, name: str) -> str | None:
    return None if isinstance(answer, str) else answer.headers.get(name)

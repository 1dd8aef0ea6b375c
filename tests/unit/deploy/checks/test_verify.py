"""`verify` against services doubled at the transport: a right one passes, each wrong one is found out."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.checks.verify import verify_contract, verify_load

PREDICTION = {
    "win_probability": 0.55,
    "expected_roi": 2.5,
    "kelly_fraction": 0.02,
    "recommended_stake_pct": 0.5,
    "confidence": 0.4,
    "bet_grade": "C",
    "profitable": True,
    "timestamp": "2026-01-01T00:00:00Z",
    "model_version": "1",
}
HEALTH = {
    "status": "healthy",
    "models_loaded": True,
    "model_timestamp": "1",
    "environment": "test",
    "version": "1.2.0",
    "uptime_seconds": 3,
}
ERROR = {"error": {"code": "invalid_bet", "message": "…"}}
Answer = tuple[int, Any]


def right(request: httpx.Request) -> Answer:
    path, body = request.url.path, request.content
    if path in ("/metrics", "/api/v1/reload-models"):
        return 403, ERROR
    if path == "/api/v1/predict" and (body == b"{" or b'"odds":50' in body.replace(b" ", b"")):
        return 400, ERROR
    answers: dict[str, Any] = {
        "/health": HEALTH,
        "/ready": {"status": "ready"},
        "/live": {"status": "alive"},
        "/api/v1/model-info": {"metadata": {}, "feature_names": [], "feature_count": 26, "sha256": "ab"},
        "/api/v1/predict": PREDICTION,
        "/ml-predict": PREDICTION,
        "/api/v1/batch-predict": {"predictions": [{}], "errors": [{}], "summary": {}},
        "/batch-predict": {"predictions": [PREDICTION], "count": 1},
        "/openapi.json": {"openapi": "3.1.0", "paths": {}},
    }
    return 200, answers[path]


def faults(answer: Callable[[httpx.Request], Answer], version: str = "1.2.0") -> dict[str, str]:
    def handler(request: httpx.Request) -> httpx.Response:
        status, body = answer(request)
        headers = {"x-served-by": "blue", "x-request-id": "r"}
        return httpx.Response(status, headers=headers, content=body if isinstance(body, bytes) else json.dumps(body))

    with httpx.Client(transport=httpx.MockTransport(handler), base_url="http://service") as client:
        return {check.name: check.fault for check in verify_contract(client, version) if check.fault}


def instead(path: str, answer: Answer, method: str = "") -> Callable[[httpx.Request], Answer]:
    def handler(request: httpx.Request) -> Answer:
        mine = request.url.path == path and method in ("", request.method)
        return answer if mine else right(request)

    return handler


def test_a_service_that_keeps_the_contract_has_no_fault() -> None:
    assert faults(right) == {}


@pytest.mark.parametrize(
    ("path", "answer", "check"),
    [
        ("/health", (503, HEALTH), "GET /health"),
        ("/health", (200, {**HEALTH, "models_loaded": False}), "GET /health"),
        ("/health", (200, {**HEALTH, "version": "1.1.0"}), "version is 1.2.0"),
        ("/ready", (503, {"status": "starting"}), "GET /ready"),
        ("/api/v1/predict", (200, {**PREDICTION, "win_probability": 1.5}), "POST /api/v1/predict"),
        ("/api/v1/predict", (200, {**PREDICTION, "bet_grade": "E"}), "GET /api/v1/predict"),
        ("/api/v1/predict", (200, PREDICTION), "odds of 50 are refused"),
        ("/api/v1/predict", (500, b"<html>"), "a body that is no JSON is refused"),
        ("/api/v1/batch-predict", (200, {"predictions": [], "errors": [{}], "summary": {}}), "POST /api/v1/batch"),
        ("/ml-predict", (404, ERROR), "GET /ml-predict"),
        ("/batch-predict", (200, {"count": 0}), "POST /batch-predict"),
        ("/metrics", (200, {}), "metrics are closed"),
        ("/api/v1/reload-models", (200, {}), "reloading is closed"),
    ],
)
def test_each_breach_is_found(path: str, answer: Answer, check: str) -> None:
    found = faults(instead(path, answer))
    assert any(name.startswith(check) for name in found), found


def test_get_and_post_must_agree() -> None:
    other = {**PREDICTION, "win_probability": 0.56}
    assert faults(instead("/api/v1/predict", (200, other), "GET")) == {
        "GET and POST agree on win_probability": "win_probability is 0.56, not 0.55"
    }


def test_no_service_is_a_fault_and_not_an_exception() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert [check.name for check in verify_contract(client(refuse), "1.2.0") if not check.fault] == []


def client(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="http://service", transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(("status", "bad"), [(200, 0), (500, 1)])
def test_the_load_is_bounded_and_judged(status: int, bad: int) -> None:
    asked = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(status, json=PREDICTION)

    checks, summary = verify_load(client(handler), requests=50, seconds=20, clients=4, p95_s=0.5)
    assert asked == 50
    assert summary.startswith("50 requests")
    assert sum(check.fault is not None for check in checks) == bad


def test_a_slow_service_fails_the_threshold() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        time.sleep(0.02)
        return httpx.Response(200, json=PREDICTION)

    checks, _ = verify_load(client(handler), requests=10, seconds=20, clients=2, p95_s=0.01)
    assert [check.name for check in checks if check.fault] == ["p95 under load is at most 10 ms"]

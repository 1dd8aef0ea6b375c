"""A small service that speaks the HTTP contract, with faults by order: `python -m tests.support.deploy_stub`.

Environment: PORT, DEPLOYMENT, APP_VERSION, STUB (JSON): version, models, models_loaded, ready, boot_delay, crash,
real_metrics, p (win probability), delay, grade, and for requests by way of Nginx alone, so that no gate meets them:
error_rate, refuse, good_in (slots). An answer to a request with X-Held waits for GET /let-go; X-Fail names its status.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import uvicorn

CONFIG: dict[str, Any] = json.loads(os.environ.get("STUB", "{}"))
SLOT = os.environ.get("DEPLOYMENT", "local")
VERSION = CONFIG.get("version", os.environ.get("APP_VERSION", "0"))
MODELS = CONFIG.get("models", "a" * 64)
KEYS = [key for key in os.environ.get("API_KEYS", "").split(",") if key]
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
WATCHED = None
if CONFIG.get("real_metrics"):  # the service's own metrics in place of the few below
    from tests.support.watched import Watched

    WATCHED = Watched(VERSION, SLOT)
STARTED = time.time()
LET_GO = asyncio.Event()
RANDOM = random.Random(7)  # noqa: S311 - faults, not secrets


class Counts:
    active = 0
    bets = 0
    unknown = 0
    grades: ClassVar[Counter[str]] = Counter()
    errors: ClassVar[Counter[str]] = Counter()
    buckets: ClassVar[Counter[float]] = Counter()
    seconds = 0.0


def model_timestamp() -> str:
    """Of the set that lies in MODEL_DIR at the moment: a hot reload without the wait."""
    metadata = Path(os.environ.get("MODEL_DIR", "/nowhere")) / "model_metadata_latest.json"
    return str(json.loads(metadata.read_text())["timestamp"]) if metadata.exists() else "1"


def prediction() -> dict[str, Any]:
    p = float(CONFIG.get("p", 0.55))
    return {"win_probability": p, "expected_roi": 2.5, "bet_grade": CONFIG.get("grade", "C"), "model_version": "1"}


def metrics() -> bytes:
    if WATCHED is not None:
        return WATCHED.metrics.render()
    lines = [f"pikkit_active_requests {Counts.active}"]
    lines += [
        f'pikkit_predictions_total{{sport="Basketball",market="Moneyline",grade="{grade}"}} {n}'
        for grade, n in Counts.grades.items()
    ]
    lines += [f'pikkit_prediction_errors_total{{code="{code}"}} {n}' for code, n in Counts.errors.items()]
    lines.append(f"pikkit_win_probability_sum {CONFIG.get('p', 0.55) * sum(Counts.grades.values())}")
    lines.append(f"pikkit_unknown_categories_total {Counts.unknown}")
    label = 'endpoint="/api/v1/predict"'
    total = 0
    for bound in (*BUCKETS, float("inf")):
        total += Counts.buckets[bound]
        name = "+Inf" if bound == float("inf") else str(bound)
        lines.append(f'pikkit_prediction_latency_seconds_bucket{{{label},le="{name}"}} {total}')
    lines.append(f"pikkit_prediction_latency_seconds_count{{{label}}} {total}")
    lines.append(f"pikkit_prediction_latency_seconds_sum{{{label}}} {Counts.seconds}")
    types = {
        "pikkit_active_requests": "gauge",
        "pikkit_predictions_total": "counter",
        "pikkit_prediction_errors_total": "counter",
        "pikkit_unknown_categories_total": "counter",
        "pikkit_prediction_latency_seconds": "histogram",
    }
    return "\n".join([*(f"# TYPE {name} {kind}" for name, kind in types.items()), *lines, ""]).encode()


async def answer(path: str, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:  # noqa: PLR0911
    if path == "/ready":
        ready = CONFIG.get("ready", True) and time.time() - STARTED >= CONFIG.get("boot_delay", 0)
        return (200 if ready else 503), b'{"status":"ready"}'
    if path == "/health":
        loaded = CONFIG.get("models_loaded", True)
        health = {"status": "healthy", "models_loaded": loaded, "version": VERSION, "deployment": SLOT}
        return 200, json.dumps({**health, "model_timestamp": model_timestamp()}).encode()
    if KEYS and path.startswith("/api/") and dict(scope["headers"]).get(b"x-api-key", b"").decode() not in KEYS:
        return 401, b'{"error":{"code":"unauthorized","message":"no API key"}}'
    if path == "/api/v1/model-info":
        info = {"sha256": MODELS, "bundle_tag": "pikkit_bet_models:1", "metadata": {}, "feature_count": 26}
        return 200, json.dumps(info).encode()
    if path == "/metrics":
        return 200, metrics()
    if path == "/let-go":
        LET_GO.set()
        return 200, b"{}"
    if path in ("/api/v1/predict", "/api/v1/batch-predict"):
        return await predict(path, scope, body)
    return 404, b'{"error":{"code":"not_found","message":"no such path"}}'


async def predict(path: str, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    if WATCHED is not None:
        return await WATCHED.request(path, answer_prediction(path, scope, body), json.loads(body or b"{}"))
    return await answer_prediction(path, scope, body)


async def answer_prediction(path: str, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    began = time.perf_counter()
    Counts.active += 1
    try:
        headers = dict(scope["headers"])
        await asyncio.sleep(float(CONFIG.get("delay", 0)))
        if b"x-held" in headers:
            await LET_GO.wait()
        if headers.get(b"x-fail"):
            return int(headers[b"x-fail"]), b'{"error":{"code":"internal_error","message":"as asked"}}'
        worse = b"x-forwarded-for" in headers and SLOT not in CONFIG.get("good_in", ())
        if worse and CONFIG.get("refuse"):
            return 400, b'{"error":{"code":"invalid_bet","message":"stub"}}'
        if worse and RANDOM.random() < CONFIG.get("error_rate", 0):
            Counts.errors["internal_error"] += 1
            return 500, b'{"error":{"code":"internal_error","message":"stub"}}'
        one = prediction()
        counted = b"x-deployment-chosen" not in headers
        if path == "/api/v1/predict":
            Counts.grades[one["bet_grade"]] += counted
            return 200, json.dumps({**one, "served": SLOT, "release": VERSION}).encode()
        bets = json.loads(body)["bets"]
        Counts.grades[one["bet_grade"]] += counted * len(bets)
        return 200, json.dumps({"predictions": [{"index": i, "prediction": one} for i in range(len(bets))]}).encode()
    finally:
        Counts.active -= 1
        took = time.perf_counter() - began
        Counts.seconds += took
        Counts.buckets[next((bound for bound in BUCKETS if took <= bound), float("inf"))] += 1


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    status, content = await answer(scope["path"], scope, body)
    kind = b"text/plain" if scope["path"] == "/metrics" else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
    if VERSION and scope["path"].startswith("/api/"):
        headers.append((b"x-release", VERSION.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


if __name__ == "__main__":
    sys.stdout.write(f"stub {VERSION} for {SLOT}\n")
    sys.stdout.flush()
    if CONFIG.get("crash"):
        sys.exit(f"stub {VERSION} was told to crash: no such column 'clv'")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=35,
        backlog=4096,
    )

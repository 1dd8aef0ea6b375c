"""The limit: bare Starlette and uvicorn that decode and check the same JSON and answer a constant."""

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FIELDS = ("sport", "market", "institution_name", "odds")
_ANSWER = json.dumps({
    "win_probability": 0.52, "expected_roi": -0.9, "kelly_fraction": 0.0, "recommended_stake_pct": 0.0,
    "confidence": 0.98, "bet_grade": "D", "profitable": False, "timestamp": "2026-01-01T00:00:00.000Z",
    "model_version": "x", "implied_probability": 0.52381, "edge": -0.004, "sample_size": 2000, "warnings": [],
}).encode()  # fmt: skip


async def predict(request: Request) -> Response:
    """One bet."""
    bet = json.loads(await request.body())
    assert all(bet[field] for field in _FIELDS)
    return Response(_ANSWER, media_type="application/json")


async def batch(request: Request) -> Response:
    """Many."""
    bets = json.loads(await request.body())["bets"]
    assert all(bet[field] for bet in bets for field in _FIELDS)
    body = b'{"predictions":[' + b",".join([_ANSWER] * len(bets)) + b"]}"
    return Response(body, media_type="application/json")


app = Starlette(
    routes=[
        Route("/api/v1/predict", predict, methods=["POST"]),
        Route("/api/v1/batch-predict", batch, methods=["POST"]),
    ]
)

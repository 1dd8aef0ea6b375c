"""A stand-in for the grading service: its grade follows from what is printed on the page; it fails when told to."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.receiver import Answer, Call, StandIn

LETTERS = "ABCDF"


def letter(bet: dict[str, Any]) -> str:
    """The grade that this service gives: anybody who sees selection, line and price can tell it."""
    line = bet.get("line")
    text = f"{bet['selection']}|{'' if line is None else f'{abs(line):g}'}|{bet['odds']}"
    return LETTERS[sum(map(ord, text)) % 5]


def prediction(bet: dict[str, Any], ttl_s: float, *, profitable: bool) -> dict[str, Any]:
    return {
        "bet_grade": letter(bet),
        "profitable": profitable,
        "win_probability": 0.51,
        "fair_probability": 0.5,
        "fair_method": "market",
        "edge": 0.01,
        "expected_roi": 1.0 + len(str(bet["selection"])) / 10,
        "recommended_stake_pct": 0.5,
        "confidence": 0.6,
        "warnings": [],
        "ttl_s": ttl_s,
        "model_version": "1",
    }


@dataclass
class GradingService:
    """`mode`: ok, hang, reset or busy (503); `key` is the one that is asked for, `refused` a selection that is."""

    mode: str = "ok"
    key: str = ""
    ttl_s: float = 600
    profitable: bool = False
    refused: str = ""
    bets: list[dict[str, Any]] = field(default_factory=list)
    server: StandIn = field(default_factory=StandIn)

    def __post_init__(self) -> None:
        self.server.answer = self._answer

    def batches(self) -> int:
        return sum(call.path.startswith("/api/v1/batch-predict") for call in self.server.calls)

    def _answer(self, call: Call) -> Answer:
        if self.mode == "hang":
            end = time.monotonic() + 8
            while self.mode == "hang" and time.monotonic() < end:
                time.sleep(0.05)
        if self.mode in ("hang", "reset"):
            return None
        if self.mode == "busy":
            return _json({"error": {"message": "too many requests"}}, 503, **{"retry-after": "1"})
        if call.method != "OPTIONS" and call.headers.get("x-api-key", "") != self.key:
            return _json({"error": {"message": "X-API-Key is wrong"}}, 401)
        return _json(self._body(call))

    def _body(self, call: Call) -> dict[str, Any]:
        if call.path.startswith("/api/v1/batch-predict"):
            return self._batch(call.json["bets"])
        if call.path.startswith("/api/v1/predict"):
            return {"reasons": ["Pinnacle's prices without vig give 52.4 %"]}
        return {"metadata": {"timestamp": "20260101_000000"}, "starter_models": False}

    def _batch(self, bets: list[dict[str, Any]]) -> dict[str, Any]:
        self.bets += bets
        items = [
            {"index": i, "bet": bet, "prediction": prediction(bet, self.ttl_s, profitable=self.profitable)}
            for i, bet in enumerate(bets)
            if bet["selection"] != self.refused
        ]
        error = {"code": "invalid_bet", "message": "odds are refused"}
        errors = [{"index": i, "error": error} for i, bet in enumerate(bets) if bet["selection"] == self.refused]
        return {"predictions": items, "errors": errors}


def _json(body: Any, status: int = 200, **headers: str) -> Answer:
    return status, {**_CORS, **headers}, json.dumps(body).encode()


_CORS = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}

"""Ray Serve by the book: `python -m rivals.stock_ray PORT`, one replica."""

import sys
import threading
from typing import Any

import numpy as np
from ray import serve
from rivals.models import answer, load, row
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Grader:
    """The win model."""

    def __init__(self) -> None:
        self.model, self.metadata = load()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """One bet or many."""
        body = await request.json()
        if "bets" in body:
            return {"predictions": self.grade(body["bets"])}
        return self.grade([body])[0]

    def grade(self, bets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Many at once."""
        rows = np.array([row(bet, self.metadata) for bet in bets], dtype=np.float32)
        return [answer(p, bet) for p, bet in zip(self.model.predict_proba(rows)[:, 1].tolist(), bets, strict=True)]


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Grader.bind(), route_prefix="/")
    threading.Event().wait()

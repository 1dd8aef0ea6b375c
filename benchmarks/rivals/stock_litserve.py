"""LitServe by the book: `python -m rivals.stock_litserve PORT`, a LitAPI for each path, one worker on the CPU."""

import sys
from typing import Any

import litserve
import numpy as np
from rivals.models import answer, load, row


class Predict(litserve.LitAPI):
    """One bet."""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device
        self.model, self.metadata = load()

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Grade it."""
        return self.grade([request])[0]

    def grade(self, bets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Many at once."""
        rows = np.array([row(bet, self.metadata) for bet in bets], dtype=np.float32)
        return [answer(p, bet) for p, bet in zip(self.model.predict_proba(rows)[:, 1].tolist(), bets, strict=True)]


class Batch(Predict):
    """Many bets."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Grade them."""
        return {"predictions": self.grade(request["bets"])}


if __name__ == "__main__":
    apis = [Predict(api_path="/api/v1/predict"), Batch(api_path="/api/v1/batch-predict")]
    litserve.LitServer(apis, accelerator="cpu", workers_per_device=1).run(
        port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="warning"
    )

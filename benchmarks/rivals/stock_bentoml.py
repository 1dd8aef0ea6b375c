"""A BentoML service by the book: `bentoml serve rivals.stock_bentoml:Stock`, typed arguments, defaults throughout."""

from typing import Any

import bentoml
import numpy as np
from rivals.models import answer, load, row


@bentoml.service(workers=1)
class Stock:
    """The win model behind two APIs."""

    def __init__(self) -> None:
        self.model, self.metadata = load()

    @bentoml.api(route="/api/v1/predict")
    def predict(
        self,
        sport: str,
        market: str,
        institution_name: str,
        odds: float | str,
        league: str | None = None,
        odds_format: str | None = None,
        bet_type: str = "straight",
        is_live: bool = False,
    ) -> dict[str, Any]:
        """One bet."""
        del sport, league, market, institution_name
        bet = {"odds": odds, "odds_format": odds_format, "bet_type": bet_type, "is_live": is_live}
        return self._grade([bet])[0]

    @bentoml.api(route="/api/v1/batch-predict")
    def batch(self, bets: list[dict[str, Any]]) -> dict[str, Any]:
        """Many."""
        return {"predictions": self._grade(bets)}

    def _grade(self, bets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = np.array([row(bet, self.metadata) for bet in bets], dtype=np.float32)
        return [answer(p, bet) for p, bet in zip(self.model.predict_proba(rows)[:, 1].tolist(), bets, strict=True)]

"""A hand-tuned FastAPI: validated models, one inplace_predict for a whole batch, one thread."""

from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, Field
from rivals.models import answer, load, row

MODEL, METADATA = load()
BOOSTER = MODEL.get_booster()
BOOSTER.set_param({"nthread": 1})


class Bet(BaseModel):
    """One bet."""

    sport: str = Field(min_length=1, max_length=200)
    league: str | None = Field(None, min_length=1, max_length=200)
    market: str = Field(min_length=1, max_length=200)
    institution_name: str = Field(min_length=1, max_length=200)
    bet_type: str = "straight"
    odds: float | str
    odds_format: str | None = None
    is_live: bool = False


class Batch(BaseModel):
    """Many."""

    bets: list[Bet] = Field(min_length=1, max_length=100)


app = FastAPI()


def _grade(bets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = np.array([row(bet, METADATA) for bet in bets], dtype=np.float32)
    probabilities = BOOSTER.inplace_predict(rows).tolist()
    return [answer(p, bet) for p, bet in zip(probabilities, bets, strict=True)]


@app.post("/api/v1/predict")
async def predict(bet: Bet) -> dict[str, Any]:
    """One bet."""
    return _grade([bet.model_dump()])[0]


@app.post("/api/v1/batch-predict")
async def batch(body: Batch) -> dict[str, Any]:
    """Many."""
    return {"predictions": _grade([bet.model_dump() for bet in body.bets])}

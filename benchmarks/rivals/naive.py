"""The FastAPI that people write first: a DataFrame and predict_proba for every bet."""

from typing import Any

import pandas as pd
from fastapi import FastAPI
from rivals.models import answer, load, row

MODEL, METADATA = load()
app = FastAPI()


def _grade(bet: dict[str, Any]) -> dict[str, Any]:
    frame = pd.DataFrame([row(bet, METADATA)], columns=METADATA["features"])
    return answer(float(MODEL.predict_proba(frame)[0, 1]), bet)


@app.post("/api/v1/predict")
def predict(bet: dict[str, Any]) -> dict[str, Any]:
    """One bet."""
    return _grade(bet)


@app.post("/api/v1/batch-predict")
def batch(body: dict[str, Any]) -> dict[str, Any]:
    """Many."""
    return {"predictions": [_grade(bet) for bet in body["bets"]]}

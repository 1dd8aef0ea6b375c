"""Bets graded by a set whose opinion the test chooses."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import Bet
from pikkit.bets.numbers import Numbers
from pikkit.bets.odds import expected_roi_pct
from pikkit.bets.prediction import Prediction
from pikkit.bets.reading import read_bet
from pikkit.features.spec import FeatureSpec
from pikkit.grading.opinion import Opinion
from pikkit.grading.predictor import Predictor
from pikkit.grading.reasons import Contributions
from pikkit.history.history import History

NOW = 1_769_428_800.0
CLASSES = {
    "sport": ["Ice Hockey", "Parlay"],
    "league": ["", "NHL"],
    "market": ["Moneyline", "Spread", "Total", "Parlay"],
    "institution_name": ["DraftKings"],
    "bet_type": ["straight", "parlay"],
}
BET: dict[str, Any] = {
    "sport": "Ice Hockey",
    "league": "NHL",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "event": "MTL @ BOS",
    "odds": -110,
}


class Models:
    """A set whose win model gives each bet the same chance, or the price's own plus something."""

    version = "20260101_000000"
    roi_from_price = False
    history = History.empty()
    spec = FeatureSpec.from_metadata({"features": ["implied_prob"], "encoders": CLASSES})

    def __init__(self, chance: float | None = None, *, beyond: float = 0.0, opinion: Opinion = Opinion()) -> None:  # noqa: B008
        self._chance = chance
        self._beyond = beyond
        self.opinion = opinion

    def win_probability(self, matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        own = matrix[:, 0].astype(np.float64) + self._beyond
        return np.clip(own if self._chance is None else np.full(len(matrix), self._chance), 0.0, 1.0)

    def roi(self, matrix: npt.NDArray[np.floating], probability: Numbers, odds: Numbers) -> Numbers:
        del matrix
        return expected_roi_pct(probability, odds)

    explains_within_s = 0.0

    def contributions(self, matrix: npt.NDArray[np.floating]) -> Contributions:
        del matrix
        return Contributions(None, None)


def sides(*prices: tuple[str, float], line: float | None = None) -> list[dict[str, Any]]:
    return [{"selection": name, "odds": odds, "line": line} for name, odds in prices]


def pinnacle(mtl: float, bos: float) -> list[dict[str, Any]]:
    return [{"book": "Pinnacle", "prices": sides(("MTL", mtl), ("BOS", bos))}]


def graded(*bets: dict[str, Any], models: Models | None = None, explain: bool = False) -> list[Prediction]:
    read: list[Bet] = [read_bet({**BET, **bet}) for bet in bets]
    return Predictor().predict(models or Models(), read, NOW, explain=explain)

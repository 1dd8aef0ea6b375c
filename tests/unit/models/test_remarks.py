from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pikkit.features.spec import FeatureSpec
from pikkit.models.remarks import given
from tests.support.model_files import ENCODERS, FEATURES

KNOWING = {column: [*dict.fromkeys([*classes, "Unknown"])] for column, classes in ENCODERS.items()}


class Predictor:
    """Grades every bet C."""

    def predict(self, _models: Any, bets: Sequence[Any], _now: float) -> list[dict[str, str]]:
        return [{"bet_grade": "C"} for _ in bets]

    def rows(self, _models: Any, bets: Sequence[Any], _now: float) -> Any:
        return SimpleNamespace(matrix=np.linspace(0.0, 1.0, len(bets)))


class Models:
    """Sound, but for what a case changes."""

    def __init__(self, *, chance: float | None = None, roi: float = 9.0, encoders: Any = KNOWING) -> None:
        self.spec = FeatureSpec.from_metadata({"features": FEATURES, "encoders": encoders})
        self.manifest: Any = {"engines": {"roi": {}}}
        self.history = SimpleNamespace(size=9)
        self.metadata: Any = {"price_range": [0.1, 0.9], "unseen_bets": "as a file may say it"}
        self._chance, self._roi = chance, roi

    def win_probability(self, rows: Any) -> Any:
        return np.where(rows < 0.1, 0.4 if self._chance is None else self._chance, 0.3 + 0.4 * rows)

    def roi(self, rows: Any, _chance: Any, _odds: Any) -> Any:
        return np.where(rows < 0.1, self._roi, -20 + 30 * rows)


def remarks_on(models: Models) -> str:
    standing_in: Any = models
    predictor: Any = Predictor()
    return "\n".join(given(standing_in, predictor, None, 0.0).remarks)


def test_a_sound_set_earns_no_remark() -> None:
    assert remarks_on(Models()) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"roi": -982.9}, "expects down to -982.9 %"),
        ({"roi": 3000.0}, "expects more than a won bet pays for 10 % of the bets (up to +3000.0 %)"),
        ({"chance": 1.0}, "certain of 10 % of the bets"),
        ({"chance": 0.0}, "certain of 10 % of the bets"),
        ({"encoders": ENCODERS}, "no class 'Unknown' for market:"),
        ({"encoders": {**KNOWING, "sport": ["Tennis", "TENNIS", "Unknown"]}}, "lists 'TENNIS' in several spellings"),
    ],
)
def test_what_a_set_will_do_to_its_owner_is_said_at_its_import(changes: dict[str, Any], said: str) -> None:
    found = remarks_on(Models(**changes))
    assert said in found
    assert "\n" not in found

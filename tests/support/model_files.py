"""Small model sets in the users' format, trained in milliseconds."""

import json
import pickle
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.slow_import import Lazy
from tests.support.waiting import eventually

xgboost: Any = Lazy("xgboost")

ENCODERS = {
    "sport": ["Basketball", "Tennis", "Unknown"],
    "league": ["ATP", "NBA", "None"],
    "market": ["Moneyline", "Spread"],
    "institution_name": ["DraftKings", "FanDuel"],
    "bet_type": ["parlay", "straight"],
}
KNOWING = {column: [*dict.fromkeys([*classes, "Unknown"])] for column, classes in ENCODERS.items()}
FEATURES = [
    "sport_encoded",
    "market_encoded",
    "implied_prob",
    "is_live",
    "sport_market_win_rate",
    "sport_market_count",
]


def train(seed: int, *, features: int = len(FEATURES)) -> tuple[Any, Any]:
    """A win model that stopped early, and an ROI model."""
    random = np.random.default_rng(seed)
    rows = random.random((400, features)).astype(np.float32)
    rows[random.random(rows.shape) < 0.05] = np.nan
    won = (np.nan_to_num(rows[:, 2 % features]) + random.normal(0, 0.4, 400) > 0.5).astype(int)
    win = xgboost.XGBClassifier(n_estimators=30, max_depth=3, early_stopping_rounds=3, random_state=seed, n_jobs=1)
    win.fit(rows[:300], won[:300], eval_set=[(rows[300:], won[300:])], verbose=False)
    roi = xgboost.XGBRegressor(n_estimators=8, max_depth=3, random_state=seed, n_jobs=1)
    roi.fit(rows, 20 * random.normal(size=400) + 10 * np.nan_to_num(rows[:, 0]))
    return win, roi


def write_set(folder: Path, version: str, *, seed: int = 1, **metadata: Any) -> Path:
    """A whole set; the metadata is written last, as trainers do."""
    folder.mkdir(parents=True, exist_ok=True)
    win, roi = train(seed)
    (folder / "win_probability_model_latest.pkl").write_bytes(pickle.dumps(win))
    (folder / "roi_prediction_model_latest.pkl").write_bytes(pickle.dumps(roi))
    content = {"timestamp": version, "features": FEATURES, "encoders": ENCODERS, **metadata}
    (folder / "model_metadata_latest.json").write_text(json.dumps(content))
    return folder


def served_after(url: str, models: Path, folder: Path) -> str:
    """Put a set into a running service's MODEL_DIR, metadata last; the version served as soon as it is that one."""
    wanted = json.loads((models / "model_metadata_latest.json").read_text())["timestamp"]
    for file in sorted(models.iterdir(), key=lambda path: path.suffix == ".json"):
        (folder / file.name).write_bytes(file.read_bytes())
    eventually(lambda: httpx.get(f"{url}/health").json()["model_timestamp"] == wanted)
    return str(wanted)

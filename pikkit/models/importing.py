"""Importing the users' files into the model store, and golden bets: what an imported set predicts for fixed bets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pikkit.bets.reading import read_bet
from pikkit.grading.predictor import Predictor
from pikkit.history.history import History
from pikkit.models import store
from pikkit.models.activation import Activation
from pikkit.models.conversion import convert
from pikkit.models.model_set import ModelSet, load_set
from pikkit.models.store import Stored
from pikkit.models.user_files import digests, take_copy, with_history

__all__ = ["checked", "golden_bets", "import_models"]

_ANSWERS = ("win_probability", "expected_roi", "implied_probability", "sample_size")
_MOMENT = "2026-01-26T12:00:00Z"  # features may know the clock
_PLACES = (
    ("Basketball", "NBA", "Moneyline", "DraftKings", -110),
    ("Basketball", "NBA", "Player Points", "FanDuel", 145),
    ("American Football", "NFL", "Spread", "BetMGM", -105),
    ("Tennis", "ATP", "Moneyline", "Caesars", 260),
    ("Nowhere", "Unheard of", "Unknown market", "Nobody", -400),
)


def import_models(
    source: Path, *, history: History | None = None, tag: str | None = None, activate_beside: Path | None = None
) -> tuple[Stored, ModelSet]:
    """Check, convert and store the set in `source`.

    Args:
        source: folder with the users' files.
        history: replaces the history_latest.json of the folder.
        tag: NAME:VERSION instead of pikkit_bet_models:<timestamp>.
        activate_beside: make it the active one, which outranks the files in this folder (MODEL_DIR) as they are now.

    Raises:
        ModelError: the set can't be served; the store is as it was.
    """
    with tempfile.TemporaryDirectory(prefix="pikkit-import-") as name:
        work = Path(name)
        (work / "copy").mkdir()
        at = time.time()
        beside = {str(activate_beside.resolve()): digests(activate_beside)} if activate_beside else {}
        copy = taken = take_copy(source, work / "copy")
        if history is not None:
            copy = with_history(copy, history.to_json())
        stored = store.find(copy.sha256, tag)
        if stored is None:
            convert(copy, work / "set")
            stored = store.save(work / "set", load_set(work / "set"), tag)
        if activate_beside:
            files = beside | {str(source.resolve()): taken.files}
            Activation(stored.tag, copy.sha256, at, str(source.resolve()), files).write()
        return stored, stored.load()


@contextmanager
def checked(source: Path, *, history: History | None = None) -> Iterator[ModelSet]:
    """The set in `source`, checked and converted as for the store, for as long as it is looked at.

    Raises:
        ModelError: the set can't be served.
    """
    with tempfile.TemporaryDirectory(prefix="pikkit-check-") as name:
        work = Path(name)
        (work / "copy").mkdir()
        copy = take_copy(source, work / "copy")
        if history is not None:
            copy = with_history(copy, history.to_json())
        convert(copy, work / "set")
        yield load_set(work / "set")


def golden_bets(models: ModelSet) -> list[dict[str, Mapping[str, Any]]]:
    """Bets, and the fields of their predictions that a service with this set must give, whatever its settings."""
    golden: list[dict[str, Mapping[str, Any]]] = []
    for sport, league, market, book, odds in _PLACES:
        bet = {
            "sport": sport,
            "league": league,
            "market": market,
            "institution_name": book,
            "odds": odds,
            "placed_at": _MOMENT,
        }
        [prediction] = Predictor().predict(models, [read_bet(bet)], 0.0)
        golden.append({"bet": bet, "expected": {name: prediction[name] for name in _ANSWERS}})  # type: ignore[literal-required]
    return golden

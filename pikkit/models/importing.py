"""Importing the users' files into the model store, and golden bets: what an imported set predicts for fixed bets."""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pikkit.bets.reading import read_bet
from pikkit.errors import ModelError
from pikkit.grading.opinion_fit import opinion_of
from pikkit.grading.predictor import Predictor
from pikkit.history.history import History, SettledBets
from pikkit.models.activation import Activation, active, home
from pikkit.models.conversion import STORE_NAME, convert
from pikkit.models.loading import amend, folders_made_of, load_set
from pikkit.models.model_set import ModelSet, moment_of
from pikkit.models.user_files import UserFiles, digests, last_change, sha256_of, take_copy, with_history

if TYPE_CHECKING:
    from pikkit.models.store import Stored

__all__ = ["Past", "checked", "golden_bets", "import_models", "served_locally"]

_ANSWERS = ("win_probability", "expected_roi", "implied_probability", "sample_size")
_MOMENT = "2026-01-26T12:00:00Z"  # features may know the clock
_PLACES = (
    ("Basketball", "NBA", "Moneyline", "DraftKings", -110),
    ("Basketball", "NBA", "Player Points", "FanDuel", 145),
    ("American Football", "NFL", "Spread", "BetMGM", -105),
    ("Tennis", "ATP", "Moneyline", "Caesars", 260),
    ("Nowhere", "Unheard of", "Unknown market", "Nobody", -400),
)


@dataclass(frozen=True, slots=True)
class Past:
    """Past results that a set is to carry, and the bets that they were made of, where these are at hand."""

    history: History
    settled: SettledBets | None = None

    def put_into(self, copy: UserFiles) -> UserFiles:
        """The copy with this history instead of its own."""
        if self.settled is None:
            return with_history(copy, self.history.to_json())
        digest = hashlib.sha256()
        for column in (self.settled.bets.placed_at, self.settled.bets.odds, self.settled.won):
            digest.update(np.ascontiguousarray(column).tobytes())
        return with_history(copy, self.history.to_json(), digest.hexdigest())


def import_models(
    source: Path, *, past: Past | None = None, tag: str | None = None, activate_beside: Path | None = None
) -> tuple[Stored, ModelSet]:
    """Check, convert and store the set in `source`.

    Args:
        source: folder with the users' files.
        past: replaces the history_latest.json of the folder.
        tag: NAME:VERSION instead of pikkit_bet_models:<timestamp>.
        activate_beside: make it the active one, which outranks the files in this folder (MODEL_DIR) as they are now.

    Raises:
        ModelError: the set can't be served; the store is as it was.
    """
    from pikkit.models import store  # noqa: PLC0415 - BentoML takes a second to import, and whoever checks needs none

    with tempfile.TemporaryDirectory(prefix="pikkit-import-") as name:
        work = Path(name)
        (work / "copy").mkdir()
        at = time.time()
        beside = {str(activate_beside.resolve()): digests(activate_beside)} if activate_beside else {}
        taken = take_copy(source, work / "copy")
        copy = past.put_into(taken) if past else taken
        stored = store.find(copy.sha256, tag)
        if stored is None:
            stored = store.save(work / "set", _converted(copy, work / "set", past), tag)
        if activate_beside:
            files = beside | {str(source.resolve()): taken.files}
            Activation(stored.tag, copy.sha256, at, str(source.resolve()), files).write()
        return stored, stored.load()


@contextmanager
def checked(source: Path, *, past: Past | None = None) -> Iterator[ModelSet]:
    """The set in `source`, checked and converted as for the store, for as long as it is looked at.

    Raises:
        ModelError: the set can't be served.
    """
    with tempfile.TemporaryDirectory(prefix="pikkit-check-") as name:
        work = Path(name)
        (work / "copy").mkdir()
        taken = take_copy(source, work / "copy")
        yield _converted(past.put_into(taken) if past else taken, work / "set", past)


@contextmanager
def served_locally(model_dir: Path) -> Iterator[ModelSet]:
    """The set that a local server serves: the active import, else the files in MODEL_DIR, else the store's newest.

    Raises:
        ModelError: there is none, or it can't be served.
    """
    if last_change(model_dir) is None:
        models = _imported(model_dir) or _carried()
    else:
        models = _imported(model_dir) or _of_the_same_files(model_dir)
    if models is not None:
        yield models
        return
    with checked(model_dir) as models:
        yield models


def _imported(model_dir: Path) -> ModelSet | None:
    """The active import, where it outranks MODEL_DIR's files and is in the store still."""
    imported = active()
    if imported is None or not imported.outranks(model_dir):
        return None
    models = _loaded(imported.folder, imported.tag, "import")
    return models if models and models.sha256 == imported.sha256 else None


def _of_the_same_files(model_dir: Path) -> ModelSet | None:
    """A set of the store that was made of the files in MODEL_DIR, as they are."""
    folders = folders_made_of(sha256_of(model_dir), home() / "models" / STORE_NAME)
    found = (_loaded(folder, f"{STORE_NAME}:{folder.name}", "MODEL_DIR") for folder in folders)
    return next(filter(None, found), None)


def _loaded(folder: Path, tag: str, source: str) -> ModelSet | None:
    with suppress(ModelError):
        return load_set(folder, tag=tag, source=source)
    return None


def _carried() -> ModelSet | None:
    """The newest set of the store."""
    from pikkit.models import store  # noqa: PLC0415 - as above

    found = store.newest()
    return load_set(found.folder, tag=found.tag, source="store") if found else None


def _converted(copy: UserFiles, into: Path, past: Past | None) -> ModelSet:
    """The set, with what past bets show of its opinion, where it does not tell that itself."""
    convert(copy, into)
    models = load_set(into)
    if past is None or past.settled is None or not len(past.settled):
        return models
    opinion, unseen = opinion_of(models, past.settled, _learnt_until(models))
    shown = opinion.to_metadata()
    if "market" not in models.metadata:
        shown["unseen_bets"] = unseen
    amend(into, {name: value for name, value in shown.items() if name not in models.metadata})
    return load_set(into)


def _learnt_until(models: ModelSet) -> float:
    """Until when a set may have learnt (seconds since the epoch): as it says, else its own time; unknown: for ever."""
    told = (models.trained_until, moment_of(models.version))
    return next((moment for moment in told if moment is not None), math.inf)


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
        predicted: Sequence[Mapping[str, Any]] = Predictor().predict(models, [read_bet(bet)], 0.0)
        golden.append({"bet": bet, "expected": {name: predicted[0][name] for name in _ANSWERS}})
    return golden

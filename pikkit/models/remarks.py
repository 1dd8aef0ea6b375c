"""What a set will give, told at its import: the share of each grade, and whatever makes these what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.numbers import Floats
from pikkit.bets.odds import expected_roi_pct
from pikkit.bets.prediction import GRADES
from pikkit.bets.reading import read_bet
from pikkit.errors import InvalidBet
from pikkit.grading.opinion_fit import ENOUGH_UNSEEN
from pikkit.grading.predictor import Predictor
from pikkit.history.history import SettledBets
from pikkit.models.model_set import ModelSet

__all__ = ["Given", "given", "market_in_words"]

_MOST = 4000
_NEAR = 0.25  # percent: what differs by less is one answer
_NEARLY_ALL = 0.9
_LEAST_SPREAD = 0.0005
_CERTAIN = 1e-6
_ALL_IS_LOST = -100  # percent: nobody loses more than the stake
_PRICES = (-400, -250, -180, -140, -120, -110, -105, 100, 110, 130, 170, 240, 400)
_NOTHING = frozenset({"unknown", "none", ""})


@dataclass(frozen=True, slots=True)
class Given:
    """Shares of the grades (fractions) over bets, and remarks, one line each."""

    bets: int
    kind: str  # past or made-up
    grades: Mapping[str, float]
    remarks: tuple[str, ...]

    def in_words(self) -> str:
        """The shares, such as `A 1 %  B 2 %  C 7 %  D 60 %  F 30 %`."""
        return "  ".join(f"{letter} {100 * share:.0f} %" for letter, share in self.grades.items())


def given(models: ModelSet, predictor: Predictor, settled: SettledBets | None, now: float) -> Given:
    """Grade past bets, else made-up ones of the set's own categories.

    Args:
        models: the set.
        predictor: with the rules that hold here.
        settled: past bets; a sample of them is graded.
        now: seconds since the epoch.
    """
    has_past = settled is not None and len(settled) > 0
    bets = _past(settled) if settled is not None and has_past else _made_up(models)
    predictions = predictor.predict(models, bets, now)
    counts = Counter(prediction["bet_grade"] for prediction in predictions)
    rows = predictor.rows(models, bets, now).matrix
    odds = np.array([bet.odds for bet in bets])
    win = models.win_probability(rows)
    roi = np.asarray(models.roi(rows, win, odds), dtype=np.float64)
    grades: dict[str, float] = {letter: counts[letter] / len(bets) for letter in GRADES}
    remarks = (*_of_answers(models, grades, win, roi, expected_roi_pct(np.ones(len(odds)), odds)), *_of_names(models))
    return Given(len(bets), "past" if has_past else "made-up", grades, remarks)


def market_in_words(models: ModelSet) -> str:
    """What the win model counts beside other prices."""
    opinion = models.opinion
    if opinion.weight_market is None or opinion.weight_reference is None:
        return "nobody has looked: references are believed, and beside the own market alone the model"
    weights = f"own market {opinion.weight_market:.2f}, references {opinion.weight_reference:.2f}"
    return f"weight of the model: {weights}; enough bets at prices of {opinion.lowest:.3f} to {opinion.highest:.3f}"


def _of_answers(models: ModelSet, grades: Mapping[str, float], win: Floats, roi: Floats, pays: Floats) -> Iterator[str]:
    engine = models.manifest["engines"]["roi"]
    rounds = f"{engine['rounds']} of {engine['rounds_pickled']} rounds: " if "rounds" in engine else ""
    middle = float(np.median(roi))
    same = float((np.abs(roi - middle) < _NEAR).mean())
    if same >= _NEARLY_ALL:
        letter = max(grades, key=lambda name: grades[name])
        yield (
            f"the ROI model is all but constant ({rounds}{_share(same)} get {middle:+.1f} %), so "
            f"{100 * grades[letter]:.0f} % of the bets are graded {letter}: train it longer, or without early stopping"
        )
    if float(roi.min()) < _ALL_IS_LOST:
        share = 100 * float((roi < _ALL_IS_LOST).mean())
        yield (
            f"the ROI model expects down to {float(roi.min()):+.1f} % ({share:.0f} % of the bets below -100 %): nobody "
            "loses more than the stake; is it trained on percent, and on bets such as these?"
        )
    beyond = roi > pays
    if beyond.any():
        yield (
            f"the ROI model expects more than a won bet pays for {100 * float(beyond.mean()):.0f} % of the bets (up to "
            f"{float(roi.max()):+.1f} %): is it trained on percent, and on bets such as these?"
        )
    certain = (win < _CERTAIN) | (win > 1 - _CERTAIN)
    if certain.any():
        yield (
            f"the win model is certain of {100 * float(certain.mean()):.0f} % of the bets (probability 0 or 1): are "
            "the features scaled as they were when it was trained?"
        )
    if float(np.ptp(win)) < _LEAST_SPREAD:
        yield f"the win model is constant: every bet gets {float(np.median(win)):.3f}"
    if grades["F"] == 1:
        yield "every bet is graded F: nobody will see another grade of this set"
    elif not any(grades[letter] for letter in "ABC"):
        yield "no bet is graded A, B or C"
    unseen = models.metadata.get("unseen_bets")
    if isinstance(unseen, int) and unseen < ENOUGH_UNSEEN:
        yield (
            f"the win model counts nothing beside other prices: it may have learnt from all but {unseen:,} of the past "
            f"bets, which are no later than the set, and it takes {ENOUGH_UNSEEN} later ones to judge it"
        )
    if "price_range" not in models.metadata:
        yield "at which prices the set has seen enough bets is not known: it is trusted at all (--bets FILE tells it)"
    if not models.history.size:
        yield "no betting history: confidence is at most 0.5, so nothing is graded A or B (--bets FILE makes one)"


def _of_names(models: ModelSet) -> Iterator[str]:
    read = {name.removesuffix("_encoded") for name in models.spec.names if name.endswith("_encoded")}
    encoders = {column: encoder for column, encoder in models.spec.encoders.items() if column in read}
    silent = [column for column, encoder in encoders.items() if not encoder.has_unknown]
    if silent:
        yield (
            f"no class 'Unknown' for {', '.join(silent)}: a name that the encoder never saw is a missing value to the "
            "models, is warned of, and lowers confidence"
        )
    for column, encoder in encoders.items():
        for name in encoder.spellings[:1]:
            yield (
                f"the encoder of {column} lists {name[:60]!r} in several spellings, with a code each: any other "
                "spelling gets the first's"
            )


def _share(share: float) -> str:
    return "all bets" if share == 1 else f"{100 * share:.0f} % of the bets"


def _past(settled: SettledBets) -> Sequence[Bet]:
    picked = np.unique(np.linspace(0, len(settled) - 1, _MOST).astype(np.intp))
    some = settled.bets.take(picked)
    columns = [values for _, values in some.categorical()]
    found = []
    for *names, odds, live in zip(*columns, some.odds.tolist(), some.is_live.tolist(), strict=True):
        told = {name: value or "None" for name, value in zip(CATEGORICAL, names, strict=True)}
        try:
            found.append(read_bet({**told, "odds": odds, "is_live": live}))
        except InvalidBet:
            continue
    return found


def _made_up(models: ModelSet) -> Sequence[Bet]:
    random = np.random.default_rng(0)
    names = {}
    for column in CATEGORICAL:
        encoder = models.spec.encoders.get(column)
        classes = [name for name in encoder.classes if name.casefold() not in _NOTHING] if encoder else []
        names[column] = [name[:200] for name in classes if name.strip() and name.isprintable()] or ["None"]
    return [
        read_bet({**{column: str(random.choice(names[column])) for column in CATEGORICAL}, "odds": float(price)})
        for price in random.choice(_PRICES, _MOST // 4)
    ]

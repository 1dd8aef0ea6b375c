"""From what a caller sent to what it gets back: reads bets, predicts, counts, offers alerts. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.prediction import GRADES, BatchAnswer, BatchError, BatchItem, Prediction
from pikkit.bets.reading import PLAIN_FIELDS, all_known, read_bet, read_bets, unknown_fields
from pikkit.errors import InvalidBet, InvalidRequest, ModelsNotLoaded
from pikkit.grading.predictor import Models, Predictor

__all__ = ["MAX_BETS", "Graded", "Grader", "Job", "Observer", "Options", "Source", "batch_answer"]

MAX_BETS = 100
_LONG_S = 0.005  # twice what a batch of 100 takes


@dataclass(frozen=True, slots=True)
class Options:
    """How a request wants to be answered."""

    explain: bool = False
    dry_run: bool = False
    raises_alerts: bool = True
    chosen: bool = False  # which slot answers, by who asked: it counts for neither side of a canary
    caller: str = ""  # names the API key, without telling it
    names_unknown_fields: bool = True
    warnings: tuple[str, ...] = ()  # about the request as a whole; each prediction carries them


class Job(NamedTuple):
    """The bets of one request, read: each is valid or carries its error; all are graded by one model set."""

    models: Models
    raw: Sequence[Any]
    bets: Sequence[Bet | InvalidBet]
    options: Options
    errors: Mapping[int, InvalidBet] = MappingProxyType({})  # by position

    def valid(self, items: Sequence[Any]) -> Sequence[Any]:
        """Those of the items, one a bet, whose bets are valid."""
        return [item for i, item in enumerate(items) if i not in self.errors] if self.errors else items


class Graded(NamedTuple):
    """Bets and their predictions by one model set, at one time (epoch seconds).

    `sizes`: how many of them each request had, in their order.
    """

    models: Models
    bets: Sequence[Bet]
    predictions: list[Prediction]
    options: Options
    sizes: Sequence[int]
    at: float


class Source(Protocol):
    """The port to whoever has the model sets."""

    @property
    def current(self) -> Models | None:
        """The one that serves; None before the first."""
        ...


class Observer(Protocol):
    """The port to whoever sees what was graded (metrics, alerts, prediction log). Must not raise or block."""

    @property
    def graded(self) -> Callable[[Graded], None]:
        """Told what was graded."""
        ...

    def refused(self, error: InvalidBet) -> None:
        """One bet of a batch was refused."""
        ...


class Grader:
    """Grades single bets and batches with the model set of the moment."""

    def __init__(
        self,
        predictor: Predictor,
        source: Source,
        observers: Sequence[Observer] = (),
        *,
        limits: OddsLimits = OddsLimits(),
        clock: Callable[[], float],
    ) -> None:
        self._predictor = predictor
        self._source = source
        self._observers = tuple(observers)
        self._limits = limits
        self._clock = clock

    def models(self) -> Models:
        """The model set of the moment.

        Raises:
            ModelsNotLoaded: there is none yet.
        """
        models = self._source.current
        if models is None:
            raise ModelsNotLoaded("no model set is loaded: import one with import_models.py or fill MODEL_DIR")
        return models

    def read(self, data: object, options: Options) -> Job:
        """A request of one bet.

        Raises:
            InvalidBet: the bet breaks a rule.
            ModelsNotLoaded: there is no model set yet.
        """
        return Job(self.models(), (data,), (read_bet(data, self._limits),), options)

    def explains_slowly(self) -> bool:
        """Whether to explain one bet takes so long that nobody should wait behind it.

        Raises:
            ModelsNotLoaded: there is no model set yet.
        """
        return self.models().explains_within_s > _LONG_S

    def read_batch(
        self, data: object, options: Options, undecoded: Mapping[int, InvalidBet] = MappingProxyType({})
    ) -> Job:
        """A batch request: `{"bets": [1 to 100 bets]}`.

        Args:
            data: the decoded body.
            options: how it wants to be answered.
            undecoded: the errors of bets that could not be decoded, by their index.

        Raises:
            InvalidRequest: the envelope breaks a rule. Bets that do are kept with their error.
            ModelsNotLoaded: there is no model set yet.
        """
        models = self.models()
        raw = data.get("bets") if isinstance(data, dict) else None
        if not isinstance(raw, list):
            raise InvalidRequest('the body is not a batch: send {"bets": [ … ]}', field="bets")
        if not 1 <= len(raw) <= MAX_BETS:
            raise InvalidRequest(f"{len(raw)} bets in one batch: send 1 to {MAX_BETS}", field="bets")
        bets = read_bets(raw, self._limits)
        for index, error in undecoded.items():
            bets[index] = error
        errors = {i: bet for i, bet in enumerate(bets) if isinstance(bet, InvalidBet)}
        for error in errors.values():
            for observer in self._observers:
                observer.refused(error)
        return Job(models, raw, bets, options, errors)

    def grade(self, jobs: Sequence[Job]) -> list[list[Prediction]]:
        """The predictions for the valid bets of each request. Those of one set and the same options share a call.

        Raises:
            ModelError: the models answered with something that is not a number; then nothing was observed.
        """
        if len(jobs) == 1:
            call = self._graded(jobs)
            self._tell(call)
            return [call.predictions]
        apart: dict[tuple[int, Options], list[Job]] = {}
        for job in jobs:
            apart.setdefault((id(job.models), job.options), []).append(job)
        graded = [self._graded(group) for group in apart.values()]
        answers: dict[int, list[Prediction]] = {}
        for group, call in zip(apart.values(), graded, strict=True):
            self._tell(call)
            ends = accumulate(call.sizes)
            for job, size, end in zip(group, call.sizes, ends, strict=True):
                answers[id(job)] = call.predictions[end - size : end]
        return [answers[id(job)] for job in jobs]

    def _tell(self, graded: Graded) -> None:
        if graded.bets:  # requests with bad ones alone are nothing to observe
            for observer in self._observers:
                observer.graded(graded)

    def _graded(self, jobs: Sequence[Job]) -> Graded:
        """Requests of one set and the same options, graded in one call."""
        models, options = jobs[0].models, jobs[0].options
        if len(jobs) == 1:
            bets, raw = jobs[0].valid(jobs[0].bets), jobs[0].valid(jobs[0].raw)
        else:
            bets = [bet for job in jobs for bet in job.valid(job.bets)]
            raw = [data for job in jobs for data in job.valid(job.raw)]
        sizes = [len(job.bets) - len(job.errors) for job in jobs]
        now = self._clock()
        predictions = self._predictor.predict(models, bets, now, sizes=sizes, explain=options.explain)
        names = set().union(*raw) if options.names_unknown_fields else ()
        if not PLAIN_FIELDS.issuperset(names) and not all_known(names, raw):
            for prediction, data in zip(predictions, raw, strict=True):
                unknown = unknown_fields(data)
                if unknown:
                    prediction["warnings"].append(f"unknown fields are ignored: {', '.join(unknown)}")
        if options.warnings:
            for prediction in predictions:
                prediction["warnings"] += options.warnings
        return Graded(models, bets, predictions, options, sizes, now)


def batch_answer(job: Job, predictions: Sequence[Prediction]) -> BatchAnswer:
    """What a batch request is answered with these predictions for its valid bets."""
    sent = job.valid(list(enumerate(job.raw)))
    items: list[BatchItem] = [
        {"index": index, "bet": raw, "prediction": prediction}
        for (index, raw), prediction in zip(sent, predictions, strict=True)
    ]
    errors: list[BatchError] = [
        {"index": index, "bet": job.raw[index], "error": error.body()} for index, error in job.errors.items()
    ]
    letters = [prediction["bet_grade"] for prediction in predictions]
    return {
        "predictions": items,
        "errors": errors,
        "summary": {
            "total": len(job.bets),
            "successful": len(items),
            "failed": len(errors),
            "grade_distribution": {letter: letters.count(letter) for letter in GRADES},
            "average_expected_roi": _mean([prediction["expected_roi"] for prediction in predictions]),
            "average_win_probability": _mean([prediction["win_probability"] for prediction in predictions]),
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None

"""From validated bets to predictions: columns for many bets, plain numbers for a few, and the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from pikkit.bets.bet import Bet, Leg
from pikkit.bets.prediction import GRADES, Prediction
from pikkit.features.facts import Categories
from pikkit.features.rows import FeatureRows
from pikkit.features.table import Matrix, matrix_of
from pikkit.grading.decision import Rules, remarks
from pikkit.grading.evidence import NO_HISTORY, Evidence, evidence_of
from pikkit.grading.figures import Figures, Models, figures
from pikkit.grading.markets import MarketRules
from pikkit.grading.parlays import has_legs, judge_legs, why_limited
from pikkit.grading.reasons import reasons

__all__ = ["Models", "Predictor"]

_kind_of, _legs_of = itemgetter("bet_type", "market", "sport"), itemgetter("legs")
_ONE_BY_ONE = 4  # bets up to which plain numbers beat columns
_REMARKED = [Figures._fields.index(name) for name in ("expected_roi", "price_roi", "outside")]


class Predictor:
    """Grades bets with whatever model set it is handed; holds the rules, and remembers what the last set knew."""

    def __init__(
        self,
        rules: Rules = Rules(),
        market_rules: MarketRules = MarketRules(),
        *,
        neutral_count: int = 0,
        ttl_s: int = 60,
    ) -> None:
        self._rules = rules
        self._market_rules = market_rules
        self._neutral_count = neutral_count
        self._ttl_s = ttl_s
        self._known: tuple[Models, Categories] | None = None

    def rows(self, models: Models, bets: Sequence[Bet], now: float | Sequence[float]) -> FeatureRows:
        """The feature rows of the bets, as the models see them; `now` (epoch seconds) as in `predict`, or for each."""
        facts, spec = self._categories(models).many(bets, now), models.spec
        return FeatureRows.of(facts, matrix_of(facts, spec.features, exact=spec.exact))

    def predict(
        self,
        models: Models,
        bets: Sequence[Bet],
        now: float,
        *,
        sizes: Sequence[int] | None = None,
        explain: bool = False,
    ) -> list[Prediction]:
        """Grade bets, in their order. No request changes another's answer.

        Args:
            models: the set to grade with.
            bets: validated bets.
            now: seconds since the epoch; time of the answer, and of bets without placed_at.
            sizes: how many of the bets each request has, in their order; None: all are of one.
            explain: add `reasons`.

        Raises:
            ModelError: the models answered with something that is not a number.
        """
        if not bets:
            return []
        fields = [bet.__dict__ for bet in bets]  # attributes of models are slow
        requests = (
            None if sizes is None or len(sizes) == 1 else [i for i, size in enumerate(sizes) for _ in range(size)]
        )
        company = _have_company(fields, requests)
        if len(bets) <= _ONE_BY_ONE and not company:
            answers = _joined([self._answer_to_one(models, bet, now) for bet in bets])
        else:
            with_legs = {kind for kind in set(map(_kind_of, fields)) if has_legs(*kind)}
            parlays = (
                {i: bets[i] for i, one in enumerate(fields) if one["legs"] or _kind_of(one) in with_legs}
                if with_legs or any(map(_legs_of, fields))
                else {}
            )
            answers = self._answers_to_many(
                models, bets, now, company=company, parlays=parlays, requests=requests, explain=explain
            )
        # As `utc_text` has it; not called, as a bet alone then goes through a file more.
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        common: Prediction = {
            "win_probability": 0.0,
            "expected_roi": 0.0,
            "kelly_fraction": 0.0,
            "recommended_stake_pct": 0.0,
            "confidence": 0.0,
            "bet_grade": "F",
            "profitable": False,
            "timestamp": stamp,
            "model_version": models.version,
            "implied_probability": 0.0,
            "edge": 0.0,
            "sample_size": 0,
            "warnings": [],
            "ttl_s": self._ttl_s,
            "model_probability": 0.0,
            "fair_probability": None,
            "fair_method": None,
            "overround": None,
            "reference_age_s": None,
        }
        no_history = models.history.size == 0
        predictions: list[Prediction] = []
        for p, r, k, stake, c, q, e, model, _, g, profitable, n, _ in zip(*answers.columns, strict=True):
            one = common.copy()  # a third faster than to write it anew
            one["win_probability"] = p
            one["expected_roi"] = r
            one["kelly_fraction"] = k
            one["recommended_stake_pct"] = stake
            one["confidence"] = c
            one["bet_grade"] = GRADES[g]
            one["profitable"] = profitable
            one["implied_probability"] = q
            one["edge"] = e
            one["sample_size"] = n
            one["warnings"] = [NO_HISTORY] if no_history else []
            one["model_probability"] = model
            predictions.append(one)
        for i, sent in enumerate(fields):
            if sent["client_ref"] is not None:
                predictions[i]["client_ref"] = sent["client_ref"]
        if answers.market is not None:
            answers.market.write(predictions)
        about = (answers.columns[place] for place in _REMARKED)
        for i, remark in remarks(bets, answers.unknown, answers.limited, *about):
            predictions[i]["warnings"].append(remark)
        if explain:
            told = reasons(models.contributions(answers.matrix), answers.matrix, models.spec.features)
            for i, (prediction, words) in enumerate(zip(predictions, told, strict=True)):
                market = answers.market.words.get(i) if answers.market is not None else None
                prediction["reasons"] = words if market is None else [market, *words]
        return predictions

    def _categories(self, models: Models) -> Categories:
        known = self._known
        if known is None or known[0] is not models:
            categories = Categories(models.spec.encoders, models.history, neutral_count=self._neutral_count)
            known = self._known = (models, categories)
        return known[1]

    def _answers_to_many(
        self,
        models: Models,
        bets: Sequence[Leg],
        now: float,
        *,
        company: bool,
        parlays: Mapping[int, Bet],
        requests: Sequence[int] | None = None,
        explain: bool = False,
    ) -> _Answers:
        market = evidence_of(bets, self._market_rules, now, requests=requests, explain=explain) if company else None
        limited: dict[int, str] = {} if market is None else dict(market.doubtful)
        for i, bet in parlays.items():
            reason = why_limited(bet, self._legs_are_fair(models, i, bet, now, market))
            if reason is not None:
                limited[i] = reason
        flags = np.zeros(len(bets), dtype=np.bool_)
        flags[list(limited)] = True
        beside = market.columns() if market is not None and market.counts else None
        again = None if beside is None else beside.asks(models.opinion)
        facts = self._categories(models).many(bets, now, again)
        found, matrix = figures(models, facts, self._rules, limited=flags, market=beside)
        return _Answers(
            columns=[np.asarray(column).tolist() for column in found],
            unknown=[(i, name) for name, flags in facts.unknown.items() for i in np.flatnonzero(flags).tolist()],
            limited=limited,
            matrix=matrix,
            market=market,
        )

    def _legs_are_fair(self, models: Models, i: int, bet: Bet, now: float, market: Evidence | None) -> Sequence[bool]:
        """For each leg of bet `i` whether it has a fair probability; if all have, what they say is put in `market`."""
        if bet.legs is None or market is None:
            return ()
        legs = [leg if leg.placed_at else leg.model_copy(update={"placed_at": bet.placed_at}) for leg in bet.legs]
        answers = self._answers_to_many(models, legs, now, company=True, parlays={})
        return () if answers.market is None else judge_legs(i, answers.columns, answers.market, market)

    def _answer_to_one(self, models: Models, bet: Bet, now: float) -> _Answers:
        facts = self._categories(models).one(bet, now)
        limited = why_limited(bet) if has_legs(bet.bet_type, bet.market, bet.sport) else None
        found, matrix = figures(models, facts, self._rules, limited=limited is not None)
        return _Answers(
            columns=[[figure] for figure in found],
            unknown=[(0, name) for name, flag in facts.unknown.items() if flag],
            limited={} if limited is None else {0: limited},
            matrix=matrix,
        )


def _have_company(bets: Sequence[Mapping[str, Any]], requests: Sequence[int] | None) -> bool:
    """Whether a bet comes with other prices or legs, or several of a request name events, maybe of one market."""
    several = len(bets) > 1 if requests is None else len(set(requests)) < len(requests)
    for bet in bets:
        if bet["market_prices"] is not None or bet["reference_prices"] is not None or bet["legs"] is not None:
            return True
        if several and bet["event"] is not None:
            return True
    return False


class _Answers(NamedTuple):
    """Figures by column, and what goes with them."""

    columns: Sequence[list[Any]]
    unknown: Sequence[tuple[int, str]]  # which bets have an unknown name in which column
    limited: Mapping[int, str]  # why bets are a D at the most
    matrix: Matrix
    market: Evidence | None = None


def _joined(ones: Sequence[_Answers]) -> _Answers:
    """Answers for single bets together."""
    if len(ones) == 1:
        return ones[0]
    return _Answers(
        columns=[list(chain.from_iterable(column)) for column in zip(*(one.columns for one in ones), strict=True)],
        unknown=[(i, name) for i, one in enumerate(ones) for _, name in one.unknown],
        limited={i: reason for i, one in enumerate(ones) for reason in one.limited.values()},
        matrix=np.concatenate([one.matrix for one in ones]),
    )

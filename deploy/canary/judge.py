"""The canary judge (pure): canary against production over the same time, metric by metric, three outcomes.

Shares (5xx, 4xx, unknown categories), canary c against production p, confidence C, tolerance t:
    Newcombe's interval for the difference d = c - p, built from the Wilson intervals of c and p.
    pass          the whole interval lies at or below t
    fail          d > t and the whole interval lies above 0
    inconclusive  else: more requests will tell
p95 latency of an endpoint: let T = the larger of the floor and ratio x production's p95, raised to the next bucket
bound. Canary's p95 exceeds T exactly if more than 5 % of its requests take longer than T. With e that share:
    pass          e <= 5 %
    fail          the Wilson interval of e lies above 5 %
    inconclusive  else
Grade mix: total variation distance D = 1/2 sum |c_g - p_g|, and the chi-squared test of homogeneity.
    pass D <= t; fail D > t and significant at 1 - C; else inconclusive. A batch's bets are not independent, so the
    test alone would be too eager; the tolerance on D decides first.
Mean win probability: |difference| <= t passes, above it fails.
Endpoints are judged apart where both sides have enough requests to one; the shares of 5xx and 4xx of all together too.
Whole verdict: fail if any metric fails; else inconclusive if any is; else pass. Too few requests on either side
make it inconclusive whatever was seen, but for 5xx, which may fail from a tenth of the minimum on, and restarts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from deploy.canary.sample import BOUNDS, Sample, Served
from deploy.settings import DeploySettings

__all__ = ["Outcome", "Row", "Verdict", "difference_interval", "judge", "judge_answers", "quantile", "wilson"]

Outcome = Literal["pass", "fail", "inconclusive"]
_TAIL = 0.05
_EARLY = 10  # 5xx may fail a canary from 1/10 of the minimum sample on


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: the values of both sides in words, the rule, and the outcome."""

    metric: str
    production: str
    canary: str
    rule: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and its reasons."""

    outcome: Outcome
    rows: tuple[Row, ...]

    def words(self) -> list[str]:
        """A line a metric, for the audit log."""
        return [f"{row.metric}: {row.production} / {row.canary}, {row.outcome}" for row in self.rows]


def wilson(hits: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval for a share (fractions; Wilson 1927)."""
    if n <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = min(1.0, hits / n)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_interval(
    canary: tuple[float, float], production: tuple[float, float], confidence: float
) -> tuple[float, float, float]:
    """Canary's share minus production's with its interval: (low, difference, high) (Newcombe 1998, method 10)."""
    c, p = (hits / n if n else 0.0 for hits, n in (canary, production))
    c_low, c_high = wilson(*canary, confidence)
    p_low, p_high = wilson(*production, confidence)
    d = c - p
    return d - math.hypot(c - c_low, p_high - p), d, d + math.hypot(c_high - c, p - p_low)


def quantile(served: Served, q: float) -> float:
    """The q-quantile in seconds, interpolated within its bucket; 0 without requests."""
    below, lower = 0.0, 0.0
    for bound in BOUNDS:
        count = below + served.seconds[bound]
        if served.requests and count >= q * served.requests:
            if math.isinf(bound):
                return lower
            share = (q * served.requests - below) / (count - below) if count > below else 1.0
            return lower + (bound - lower) * share
        below, lower = count, bound
    return 0.0


def judge(production: Sample, canary: Sample, settings: DeploySettings, *, restarts: int = 0) -> Verdict:
    """Compare what both slots did over the same time: what clients were answered, and what was predicted."""
    unknown = [(min(side.unknown, side.predictions), side.predictions) for side in (production, canary)]
    rows = [
        _grades(production, canary, settings),
        _share("unknown categories per bet", unknown[0], unknown[1], settings.judge_unknown_share, settings),
    ]
    if production.predictions and canary.predictions:
        rows.append(_probability(production, canary, settings))
    return judge_answers(production, canary, settings, restarts=restarts, more=rows)


def judge_answers(
    production: Sample, canary: Sample, settings: DeploySettings, *, restarts: int = 0, more: Sequence[Row] = ()
) -> Verdict:
    """By what clients were answered alone (and `more`), as where the two were not asked at the same time."""
    ours, theirs = production.total, canary.total
    least = settings.judge_min_requests
    enough_seen: Outcome = "pass" if min(ours.requests, theirs.requests) >= least else "inconclusive"
    counts = str(ours.requests), str(theirs.requests)
    traffic = Row("requests that count", *counts, f"at least {least} each", enough_seen)
    began_again = Row("restarts", "", str(restarts), "none", "fail" if restarts > 0 else "pass")
    errors = _errors("5xx", ours, theirs, settings)
    shares = (ours.refused, ours.requests), (theirs.refused, theirs.requests)
    rows = [traffic, began_again, errors, _share("4xx", *shares, settings.judge_refused_rate, settings)]
    both = sorted(set(production.served) & set(canary.served))
    enough = [name for name in both if min(production.served[name].requests, canary.served[name].requests) >= least]
    for name in enough:
        p, c = production.served[name], canary.served[name]
        if len(both) > 1:
            rows.append(_errors(f"5xx of {name}", p, c, settings))
        rows.append(_latency(name, p, c, settings))
    if not enough:
        rows.append(_latency("all", ours, theirs, settings))
    rows += more
    if traffic.outcome == "pass":
        outcomes = {row.outcome for row in rows}
        outcome: Outcome = "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"
        return Verdict(outcome, tuple(rows))
    early = theirs.requests >= least / _EARLY and errors.outcome == "fail"
    return Verdict("fail" if early or began_again.outcome == "fail" else "inconclusive", tuple(rows))


def _errors(name: str, production: Served, canary: Served, settings: DeploySettings) -> Row:
    shares = (production.errors, production.requests), (canary.errors, canary.requests)
    return _share(name, *shares, settings.judge_error_rate, settings)


def _share(
    name: str,
    production: tuple[float, float],
    canary: tuple[float, float],
    tolerance: float,
    settings: DeploySettings,
) -> Row:
    low, d, high = difference_interval(canary, production, settings.judge_confidence)
    outcome: Outcome = "pass" if high <= tolerance else "fail" if d > tolerance and low > 0 else "inconclusive"
    ours, theirs = (f"{hits / n:.2%}" if n else "none" for hits, n in (production, canary))
    rule = f"at most {tolerance:.1%} more; the difference is in [{low:+.2%}, {high:+.2%}]"
    return Row(name, ours, theirs, rule, outcome)


def _latency(name: str, production: Served, canary: Served, settings: DeploySettings) -> Row:
    ours, theirs = quantile(production, 1 - _TAIL), quantile(canary, 1 - _TAIL)
    limit = max(settings.judge_p95_floor_s, ours * settings.judge_p95_ratio)
    limit = next(bound for bound in BOUNDS if bound >= limit)
    total, slow = canary.requests, canary.over(limit)
    low, _ = wilson(slow, total, settings.judge_confidence)
    share = slow / total if total else 0.0
    outcome: Outcome = "fail" if total and low > _TAIL else "pass" if share <= _TAIL else "inconclusive"
    rule = f"at most 5% over {limit * 1000:g} ms; {share:.1%} are"
    return Row(f"p95 latency of {name}", f"{ours * 1000:.1f} ms", f"{theirs * 1000:.1f} ms", rule, outcome)


def _grades(production: Sample, canary: Sample, settings: DeploySettings) -> Row:
    names = sorted(set(production.grades) | set(canary.grades))
    ours, theirs = production.predictions, canary.predictions
    pairs = [(production.grades.get(name, 0.0), canary.grades.get(name, 0.0)) for name in names]
    words = [
        " ".join(f"{name}{100 * pair[side] / n:.0f}" for name, pair in zip(names, pairs, strict=True)) if n else "none"
        for side, n in ((0, ours), (1, theirs))
    ]
    if not ours or not theirs:
        return Row("grade mix (percent)", words[0], words[1], "bets on both sides", "inconclusive")
    distance = sum(abs(p / ours - c / theirs) for p, c in pairs) / 2
    tolerance = settings.judge_grade_distance
    p_value = _homogeneity(pairs, ours, theirs)
    significant = p_value < 1 - settings.judge_confidence
    outcome: Outcome = "pass" if distance <= tolerance else "fail" if significant else "inconclusive"
    rule = f"distance at most {tolerance:g}; it is {distance:.3f} (p = {p_value:.2g})"
    return Row("grade mix (percent)", words[0], words[1], rule, outcome)


def _homogeneity(pairs: list[tuple[float, float]], ours: float, theirs: float) -> float:
    """P-value of the chi-squared test, by the Wilson-Hilferty approximation."""
    statistic = 0.0
    for p, c in pairs:
        for seen, n in ((p, ours), (c, theirs)):
            expected = (p + c) * n / (ours + theirs)
            statistic += (seen - expected) ** 2 / expected if expected else 0.0
    freedom = sum(1 for p, c in pairs if p + c) - 1
    if freedom < 1:
        return 1.0
    spread = 2 / (9 * freedom)
    return 1 - NormalDist().cdf(((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def _probability(production: Sample, canary: Sample, settings: DeploySettings) -> Row:
    ours = production.probability_sum / production.predictions
    theirs = canary.probability_sum / canary.predictions
    near = abs(ours - theirs) <= settings.judge_probability
    rule = f"differs by at most {settings.judge_probability:g}"
    return Row("mean win probability", f"{ours:.3f}", f"{theirs:.3f}", rule, "pass" if near else "fail")

"""The canary judge (pure): canary against production over the same time, metric by metric, three outcomes.

Shares (error rate, share of unknowns), canary c against production p, confidence C, tolerance t:
    Newcombe's interval for the difference d = c - p, built from the Wilson intervals of c and p.
    pass          the whole interval lies at or below t
    fail          d > t and the whole interval lies above 0
    inconclusive  else: more requests will tell
p95 latency: let T = the larger of the floor and ratio x production's p95, raised to the next bucket bound.
    Canary's p95 exceeds T exactly if more than 5 % of its requests take longer than T. With e that share:
    pass          e <= 5 %
    fail          the Wilson interval of e lies above 5 %
    inconclusive  else
Grade mix: total variation distance D = 1/2 sum |c_g - p_g|, and the chi-squared test of homogeneity.
    pass D <= t; fail D > t and significant at 1 - C; else inconclusive. A batch's bets are not independent, so the
    test alone would be too eager; the tolerance on D decides first.
Mean win probability: |difference| <= t passes, above it fails.
Whole verdict: fail if any metric fails; else inconclusive if any is; else pass. Too few requests on either side
make it inconclusive whatever was seen, but for errors, which may fail from a tenth of the minimum on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from deploy.canary.sample import Sample
from deploy.settings import DeploySettings

__all__ = ["Outcome", "Row", "Verdict", "difference_interval", "judge", "quantile", "wilson"]

Outcome = Literal["pass", "fail", "inconclusive"]
_TAIL = 0.05
_EARLY = 10  # errors may fail a canary from 1/10 of the minimum sample on


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


def quantile(sample: Sample, q: float) -> float:
    """The q-quantile in seconds, interpolated within its bucket; 0 without requests."""
    bounds = sorted(sample.buckets)
    total = sample.buckets[bounds[-1]] if bounds else 0
    below, lower = 0.0, 0.0
    for bound in bounds:
        count = sample.buckets[bound]
        if total and count >= q * total:
            if math.isinf(bound):
                return lower
            share = (q * total - below) / (count - below) if count > below else 1.0
            return lower + (bound - lower) * share
        below, lower = count, bound
    return 0.0


def judge(production: Sample, canary: Sample, settings: DeploySettings, *, restarts: int = 0) -> Verdict:
    """Compare what both slots did over the same time."""
    rows = [
        _traffic(production, canary, settings.judge_min_requests),
        _restarts(restarts),
        _share(
            "error rate",
            (production.errors, _asked(production)),
            (canary.errors, _asked(canary)),
            settings.judge_error_rate,
            settings,
        ),
        _latency(production, canary, settings),
        _grades(production, canary, settings),
        _share(
            "unknown categories per bet",
            (min(production.unknown, production.predictions), production.predictions),
            (min(canary.unknown, canary.predictions), canary.predictions),
            settings.judge_unknown_share,
            settings,
        ),
    ]
    if production.probability_count and canary.probability_count:
        rows.append(_probability(production, canary, settings))
    if rows[0].outcome == "pass":
        outcomes = {row.outcome for row in rows}
        outcome: Outcome = "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"
        return Verdict(outcome, tuple(rows))
    early = _asked(canary) >= settings.judge_min_requests / _EARLY and rows[2].outcome == "fail"
    return Verdict("fail" if early or rows[1].outcome == "fail" else "inconclusive", tuple(rows))


def _asked(sample: Sample) -> float:
    """Requests: the histogram's count, or graded plus failed where a service counts only successes in it."""
    return max(sample.requests, sample.errors)


def _traffic(production: Sample, canary: Sample, least: int) -> Row:
    enough = min(_asked(production), _asked(canary)) >= least
    rule = f"at least {least} each"
    return Row(
        "requests",
        f"{_asked(production):.0f}",
        f"{_asked(canary):.0f}",
        rule,
        "pass" if enough else "inconclusive",
    )


def _restarts(restarts: int) -> Row:
    return Row("restarts", "", str(restarts), "none", "fail" if restarts else "pass")


def _share(
    name: str,
    production: tuple[float, float],
    canary: tuple[float, float],
    tolerance: float,
    settings: DeploySettings,
) -> Row:
    low, d, high = difference_interval(canary, production, settings.judge_confidence)
    outcome: Outcome = "pass" if high <= tolerance else "fail" if d > tolerance and low > 0 else "inconclusive"
    shares = [f"{hits / n:.2%}" if n else "none" for hits, n in (production, canary)]
    return Row(
        name,
        shares[0],
        shares[1],
        f"at most {tolerance:.1%} more; the difference is in [{low:+.2%}, {high:+.2%}]",
        outcome,
    )


def _latency(production: Sample, canary: Sample, settings: DeploySettings) -> Row:
    ours, theirs = quantile(production, 1 - _TAIL), quantile(canary, 1 - _TAIL)
    limit = max(settings.judge_p95_floor_s, ours * settings.judge_p95_ratio)
    limit = next((bound for bound in sorted(canary.buckets) if bound >= limit), math.inf)
    total = max(canary.buckets.values(), default=0.0)
    slow = total - canary.buckets.get(limit, total)
    low, _ = wilson(slow, total, settings.judge_confidence)
    share = slow / total if total else 0.0
    outcome: Outcome = "fail" if total and low > _TAIL else "pass" if share <= _TAIL else "inconclusive"
    rule = f"at most 5% over {limit * 1000:g} ms; {share:.1%} are"
    return Row("p95 latency", f"{ours * 1000:.1f} ms", f"{theirs * 1000:.1f} ms", rule, outcome)


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
    ours = production.probability_sum / production.probability_count
    theirs = canary.probability_sum / canary.probability_count
    near = abs(ours - theirs) <= settings.judge_probability
    rule = f"differs by at most {settings.judge_probability:g}"
    return Row("mean win probability", f"{ours:.3f}", f"{theirs:.3f}", rule, "pass" if near else "fail")

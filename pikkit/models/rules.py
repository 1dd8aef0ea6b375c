"""The rules that the operator set, for the service and for commands."""

from __future__ import annotations

from pikkit.bets.names import same_name
from pikkit.grading.decision import Rules
from pikkit.grading.markets import MarketRules
from pikkit.grading.predictor import Predictor
from pikkit.settings import Settings

__all__ = ["predictor_of", "rules_of"]


def rules_of(settings: Settings) -> Rules:
    """The thresholds that the operator set."""
    return Rules(
        a_roi=settings.grade_a_roi,
        a_confidence=settings.grade_a_confidence,
        b_roi=settings.grade_b_roi,
        b_confidence=settings.grade_b_confidence,
        c_roi=settings.grade_c_roi,
        c_confidence=settings.grade_c_confidence,
        d_roi=settings.grade_d_roi,
        kelly_multiplier=settings.kelly_multiplier,
        max_stake_pct=settings.max_stake_pct,
    )


def predictor_of(settings: Settings) -> Predictor:
    """The predictor with the rules that the operator set."""
    weights = {same_name("institution_name", book): weight for book, weight in settings.reference_weights.items()}
    market_rules = MarketRules(
        method=settings.margin_method,
        other_weight=weights.pop("*", 0.0),
        weights=weights,
        max_age_s=settings.reference_max_age,
        max_age_live_s=settings.reference_max_age_live,
    )
    return Predictor(
        rules_of(settings), market_rules, neutral_count=settings.neutral_history_count, ttl_s=settings.prediction_ttl
    )

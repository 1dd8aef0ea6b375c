"""Settings become rules once, in the composition root: each reaches the rule that it is named after."""

from dataclasses import asdict
from typing import Any

import pytest

from pikkit.grading.markets import MarketRules
from pikkit.models.rules import predictor_of
from pikkit.settings import Settings


def rules_of(**changed: Any) -> dict[str, Any]:
    predictor = predictor_of(Settings(_env_file=None, **changed))
    return {**asdict(predictor._rules), **asdict(predictor._market_rules)}


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        *((f"grade_{letter}_{what}", 0.123, f"{letter}_{what}") for letter in "abc" for what in ("roi", "confidence")),
        ("grade_d_roi", -7.0, "d_roi"),
        ("kelly_multiplier", 0.123, "kelly_multiplier"),
        ("max_stake_pct", 1.23, "max_stake_pct"),
        ("margin_method", "shin", "method"),
        ("reference_max_age", 12.0, "max_age_s"),
        ("reference_max_age_live", 3.0, "max_age_live_s"),
    ],
)
def test_a_setting_is_the_rule_of_its_name_and_no_other(setting: str, value: object, rule: str) -> None:
    before, after = rules_of(), rules_of(**{setting: value})
    assert after[rule] == value
    assert {name for name in before if before[name] != after[name]} == {rule}


def test_weights_of_references_are_read_by_book_with_one_for_all_others() -> None:
    found = rules_of(reference_weights="Pinnacle=2,draft kings=1,*=0.3")
    assert (found["weights"], found["other_weight"]) == ({"pinnacle": 2.0, "draftkings": 1.0}, 0.3)
    assert rules_of()["weights"] == dict(MarketRules().weights)
    assert rules_of()["other_weight"] == MarketRules().other_weight


@pytest.mark.parametrize("written", ["pinnacle", "pinnacle=much", "pinnacle=-1", "=1", "pinnacle=inf"])
def test_weights_that_are_none_are_refused_with_the_way_to_write_them(written: str) -> None:
    with pytest.raises(ValueError, match="write book=number"):
        rules_of(reference_weights=written)

import re
from typing import Any

import pytest
import yaml

from tests.support.need import root

FOLDER = root() / "monitoring"
RULES = yaml.safe_load((FOLDER / "prometheus/rules/alerts.yml").read_text())["groups"][0]["rules"]
CASES = yaml.safe_load((FOLDER / "prometheus/tests/alerts.yml").read_text())["tests"]
SECTIONS = set(re.findall(r"^## (\w+)$", (FOLDER / "RUNBOOK.md").read_text(), re.MULTILINE))


def _cases(alert: str) -> list[dict[str, Any]]:
    return [test for case in CASES for test in case["alert_rule_test"] if test["alertname"] == alert]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_case_where_it_fires_and_one_where_it_stays_silent(rule: dict[str, Any]) -> None:
    fires = [bool(case["exp_alerts"]) for case in _cases(rule["alert"])]
    assert any(fires)
    assert not all(fires)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_tells_severity_a_summary_and_an_existing_section_of_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"monitoring/RUNBOOK.md#{rule['alert'].lower()}"
    assert rule["alert"] in SECTIONS


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    assert {rule["alert"] for rule in RULES} == SECTIONS

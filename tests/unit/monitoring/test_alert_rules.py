import re
from typing import Any

import pytest

from monitoring.prometheus.cases import ALERTS, RECORDED
from monitoring.prometheus.mutants import mutants
from monitoring.prometheus.promtool import RULES
from tests.support.need import root

SECTIONS = set(re.findall(r"^## (\w+)$", (root() / "monitoring/RUNBOOK.md").read_text(), re.MULTILINE))
RULES_OF_ALERTS = {name: rule for name, rule in RULES.items() if "alert" in rule}


@pytest.mark.parametrize("name", RULES_OF_ALERTS)
def test_every_alert_has_cases_where_it_fires_with_its_text_and_where_it_stays_silent(name: str) -> None:
    cases = [case for case in ALERTS if case.alert == name]
    assert any(case.summary for case in cases)
    counts = {count for case in cases for count in case.firing.values()}
    assert counts == ({1} if name == "PikkitWatchdog" else {0, 1})


def test_every_recording_rule_has_values() -> None:
    recorded = {record for group in RECORDED for record, _ in group.values}
    derived = {name for name in RULES if name not in RULES_OF_ALERTS}
    assert recorded == derived


@pytest.mark.parametrize("rule", RULES_OF_ALERTS.values(), ids=lambda rule: rule["alert"])
def test_every_alert_tells_severity_a_summary_and_an_existing_section_of_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}#{rule['alert'].lower()}"
    assert rule["alert"] in SECTIONS


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    assert set(RULES_OF_ALERTS) == SECTIONS


def test_a_rule_is_mutated_in_each_threshold_duration_comparison_and_guard() -> None:
    rule = {"alert": "X", "expr": 'a{le="0.5"} > 10 and rate(b[10m]) == 0', "for": "4m"}
    assert {(mutant.rule["expr"], mutant.rule["for"]) for mutant in mutants(rule)} == {
        *((rule["expr"], length) for length in ("0s", "120s", "480s")),
        *(
            (expr, "4m")
            for expr in (
                'a{le="0.5"} > 12.5 and rate(b[10m]) == 0',
                'a{le="0.5"} > 8 and rate(b[10m]) == 0',
                'a{le="0.5"} > 10 and rate(b[1200s]) == 0',
                'a{le="0.5"} > 10 and rate(b[300s]) == 0',
                'a{le="0.5"} > 10 and rate(b[10m]) == 1',
                'a{le="0.5"} < 10 and rate(b[10m]) == 0',
                'a{le="0.5"} > 10 and rate(b[10m]) != 0',
                'a{le="0.5"} > 10',
                "rate(b[10m]) == 0",
            )
        ),
    }

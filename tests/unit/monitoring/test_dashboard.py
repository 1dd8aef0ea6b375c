import json
import re
from typing import Any

import pytest
import yaml

from monitoring.grafana.build import FILE, build
from monitoring.grafana.panels import PICTURE, ROWS
from pikkit.settings import Settings
from pikkit.telemetry.metrics import Metrics
from tests.support.need import root
from tests.support.samples import a_model_set

BOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def test_the_committed_dashboard_is_what_its_script_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == build(), "run: python -m monitoring.grafana.build"


def test_it_can_be_imported_anywhere_the_data_source_is_a_variable() -> None:
    assert [variable["name"] for variable in BOARD["templating"]["list"]] == ["datasource", "runbooks", "deployment"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert not re.search(r"https?://", FILE.read_text(encoding="utf-8"))


def test_it_has_a_row_for_each_side_of_the_service() -> None:
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows == list(ROWS)
    assert len(PANELS) == sum(map(len, ROWS.values()))


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panels_do_not_overlap_and_have_queries(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24
    for other in PANELS:
        if other is not panel:
            that = other["gridPos"]
            apart = (
                place["x"] + place["w"] <= that["x"]
                or that["x"] + that["w"] <= place["x"]
                or place["y"] + place["h"] <= that["y"]
                or that["y"] + that["h"] <= place["y"]
            )
            assert apart, (panel["title"], other["title"])


def test_every_metric_that_panels_and_rules_name_exists() -> None:
    rules = [yaml.safe_load(path.read_text()) for path in (root() / "monitoring/prometheus/rules").glob("*.yml")]
    flat = [rule for file in rules for group in file["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in flat if "record" in rule}
    used = " ".join([rule["expr"] for rule in flat] + [q.expr for row in ROWS.values() for p in row for q in p.queries])
    metrics = Metrics(Settings())
    metrics.model_loaded(a_model_set())
    exposed = set(re.findall(r"^# TYPE (\w+)", metrics.render().decode(), re.MULTILINE))
    by_others = {  # of the drift monitor, the outbox, Nginx and the supervisor: there once these are
        *(
            "pikkit_drift_psi",
            "pikkit_drift_unknown_share",
            "pikkit_lb_canary_weight_percent",
            "pikkit_lb_production",
            "pikkit_lb_requests_total",
            "pikkit_probe_success",
            "pikkit_probe_duration_seconds",
            "pikkit_slot_answers",
        ),
        *("pikkit_alert_outbox_depth", "pikkit_alert_outbox_oldest_age_seconds", "pikkit_alert_outbox_parked"),
        "pikkit_alerts_off",
    }
    names = set(re.findall(r"(?<![:\w])pikkit_\w+", used))
    missing = {name for name in names if re.sub(r"_(bucket|sum|count)$", "", name) not in exposed | by_others}
    assert missing == set()
    assert set(re.findall(r"pikkit:[\w:]+", used)) <= recorded


def test_panels_say_what_they_show_have_a_bottom_and_link_to_sections_that_exist() -> None:
    sections = set(re.findall(r"^## (\w+)$", (root() / "monitoring/RUNBOOK.md").read_text(), re.MULTILINE))
    for panel in (panel for panels in ROWS.values() for panel in panels):
        assert panel.description
        assert panel.runbook in sections | {""}
    for built in PANELS:
        assert built["description"]
        assert built["fieldConfig"]["defaults"]["min"] == 0
        for link in built.get("links", []):
            assert link["url"] == f"${{runbooks}}#{link['title'].lower()}"
    assert {each["name"] for each in BOARD["annotations"]["list"]} >= {"Releases", "Model sets"}


def test_the_picture_shows_six_of_the_panels() -> None:
    titles = [panel.title for panels in ROWS.values() for panel in panels]
    assert len(PICTURE) == 6
    assert set(PICTURE) <= set(titles)
    assert len(titles) == len(set(titles)) < 25

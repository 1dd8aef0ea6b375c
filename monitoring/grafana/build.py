"""Makes `pikkit-ml.json` of `panels.py`: `python -m monitoring.grafana.build`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

from monitoring.grafana.panels import ROWS, Panel

__all__ = ["FILE", "build"]

FILE = Path(__file__).with_name("pikkit-ml.json")
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT = 7
_GOOD, _WARNING, _BAD = "green", "yellow", "red"
_EVENTS = (  # name, PromQL that is 1 when it happened, colour, text
    (
        "Releases",
        "changes(pikkit_start_time_seconds[1m]) > 0 or time() - pikkit_start_time_seconds < 30",
        "blue",
        "{{deployment}} starts",
    ),
    (
        "Model sets",
        "changes(pikkit_model_load_timestamp_seconds[1m]) > 0 and time() - pikkit_start_time_seconds > 120",
        "purple",
        "{{deployment}}: a new model set",
    ),
)


def build() -> str:
    """The dashboard as JSON, ready to import."""
    board = (
        dashboard.Dashboard("Pikkit ML API")
        .uid("pikkit-ml")
        .description("Service, predictions, deployments, models and alerts of Pikkit ML API")
        .tags(["pikkit"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(dashboard.TextBoxVariable("runbooks").label("Runbook at").default_value("monitoring/RUNBOOK.md"))
        .with_variable(
            dashboard.QueryVariable("deployment")
            .label("Deployment")
            .datasource(_SOURCE)
            .query("label_values(pikkit_build_info, deployment)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    for name, expr, colour, text in _EVENTS:
        board = board.annotation(_Annotation(name, expr, colour, text))
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(_panel(panel))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


class _Annotation(dashboard.AnnotationQuery):
    """Moments on every panel; the SDK's own builder knows no legend."""

    def __init__(self, name: str, expr: str, colour: str, text: str) -> None:
        super().__init__()
        self.name(name).datasource(_SOURCE).enable(True).icon_color(colour).expr(expr)
        self._text = text

    def build(self) -> Any:
        """With the text that the moments have."""
        query = super().build()
        plain = query.to_json()
        query.to_json = lambda: {**plain, "titleFormat": self._text, "step": "15s"}  # type: ignore[method-assign]
        return query


def _panel(panel: Panel) -> Any:
    built: Any = stat.Panel() if panel.kind == "stat" else timeseries.Panel()
    built = built.title(panel.title).unit(panel.unit).datasource(_SOURCE).span(panel.width).height(_HEIGHT)
    built = built.description(panel.description).min(0)
    if panel.most is not None:
        built = built.max(panel.most)
    if panel.alarms:
        built = built.thresholds(_thresholds(panel))
        if panel.kind == "timeseries":
            style = common.GraphThresholdsStyleConfig().mode(options.GraphTresholdsStyleMode.LINE)
            built = built.thresholds_style(style)
    if panel.runbook:
        link = dashboard.DashboardLink(panel.runbook).url("${runbooks}#" + panel.runbook.lower()).target_blank(True)
        built = built.links([link])
    if panel.kind == "stacked":
        stacking = common.StackingConfig().mode(options.StackingMode.NORMAL)
        built = built.stacking(stacking).fill_opacity(40)
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        built = built.with_target(target.instant() if panel.kind == "stat" else target.range())
    return built


def _thresholds(panel: Panel) -> Any:
    first, second = panel.alarms or (0, 0)
    colours = (_BAD, _WARNING, _GOOD) if panel.low_is_bad else (_GOOD, _WARNING, _BAD)
    steps = [Threshold(value=value, color=colour) for value, colour in zip((None, first, second), colours, strict=True)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    FILE.write_text(build(), encoding="utf-8")

"""Makes `pikkit-ml.json` of `panels.py`: `python -m monitoring.grafana.build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from monitoring.grafana.panels import ROWS, Panel

__all__ = ["FILE", "build"]

FILE = Path(__file__).with_name("pikkit-ml.json")
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT = 7


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
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(_panel(panel))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(panel: Panel) -> Any:
    built: Any = stat.Panel() if panel.kind == "stat" else timeseries.Panel()
    built = built.title(panel.title).unit(panel.unit).datasource(_SOURCE).span(panel.width).height(_HEIGHT)
    if panel.description:
        built = built.description(panel.description)
    if panel.kind == "stacked":
        stacking = common.StackingConfig().mode(options.StackingMode.NORMAL)
        built = built.stacking(stacking).fill_opacity(40)
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        built = built.with_target(target.instant() if panel.kind == "stat" else target.range())
    return built


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")

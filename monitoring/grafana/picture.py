"""A picture of the dashboard's most telling panels, drawn from what a Prometheus answers to their own queries.

`python -m monitoring.grafana.picture http://127.0.0.1:9090 docs/dashboard.png`
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from matplotlib.figure import Figure

from monitoring.grafana.panels import PICTURE, ROWS, Panel, Query

__all__ = ["draw", "run_query"]

_COLUMNS = 3
_SPAN_S = 90
_UNITS = {"reqps": "requests a second", "ops": "bets a second", "s": "seconds", "percentunit": "share"}


def run_query(prometheus: str, query: Query, *, rate_interval: str = "1m", span_s: float = _SPAN_S) -> list[Any]:
    """The series of a panel's query over the last `span_s` seconds, variables filled in as Grafana does.

    Raises:
        RuntimeError: Prometheus refuses the query.
    """
    expr = query.expr.replace("$__rate_interval", rate_interval).replace("$deployment", ".*")
    now = time.time()
    answer = httpx.get(
        f"{prometheus}/api/v1/query_range",
        params={"query": expr, "start": now - span_s, "end": now, "step": max(span_s / 60, 1)},
        timeout=30,
    ).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{expr}: {answer.get('error')}")
    return list(answer["data"]["result"])


def draw(prometheus: str, file: Path, *, span_s: float = _SPAN_S) -> None:
    """Draw the panels of PICTURE with their series of the last `span_s` seconds into a PNG file."""
    panels = {panel.title: panel for row in ROWS.values() for panel in row}
    lines = -(-len(PICTURE) // _COLUMNS)
    figure = Figure(figsize=(13, 3.3 * lines))
    grid = figure.subplots(lines, _COLUMNS, squeeze=False)
    for axes, title in zip(grid.flat, PICTURE, strict=True):
        _panel(axes, panels[title], prometheus, span_s)
    figure.tight_layout()
    figure.savefig(file, dpi=90)


def _panel(axes: Any, panel: Panel, prometheus: str, span_s: float) -> None:
    named = [
        (_legend(query.legend, series["metric"]), series["values"])
        for query in panel.queries
        for series in run_query(prometheus, query, span_s=span_s)
    ]
    end = time.time()
    if panel.kind == "stacked" and named:
        moments = sorted({float(at) for _, values in named for at, _ in values})
        found = [{float(at): float(value) for at, value in values} for _, values in named]
        heights = [[values.get(at, 0.0) for at in moments] for values in found]
        axes.stackplot([at - end for at in moments], heights, labels=[name for name, _ in named], alpha=0.7)
    else:
        for name, values in named:
            axes.plot([float(at) - end for at, _ in values], [float(value) for _, value in values], label=name)
    axes.set_title(f"{panel.title} ({_UNITS[panel.unit]})" if panel.unit in _UNITS else panel.title, fontsize=12)
    axes.tick_params(labelsize=9)
    axes.grid(visible=True, alpha=0.3)
    axes.set_ylim(bottom=0)
    axes.set_xlim(-span_s, 0)
    axes.set_xlabel("seconds ago", fontsize=9)
    for value, colour in zip(panel.alarms or (), ("goldenrod", "firebrick"), strict=False):
        if value <= axes.get_ylim()[1]:
            axes.axhline(value, color=colour, linewidth=1, linestyle="--")
    axes.legend(fontsize=9, loc="best")


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return pattern


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("url", help="of Prometheus")
    asked.add_argument("file", type=Path, help="the picture")
    named = asked.parse_args()
    draw(named.url, named.file)

"""A picture of the dashboard's panels, drawn from what a Prometheus answers to their own queries.

`python -m monitoring.grafana.picture http://127.0.0.1:9090 docs/dashboard.png`
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from monitoring.grafana.panels import ROWS, Panel, Query

__all__ = ["draw", "run_query"]

_COLUMNS = 4
_SPAN_S = 90
_MAX_LEGEND = 8


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
    """Draw every panel with its series of the last `span_s` seconds into a PNG file."""
    import matplotlib as mpl  # noqa: PLC0415 - the queries are of use without it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    rows = sum(math.ceil(len(panels) / _COLUMNS) for panels in ROWS.values())
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(20, 2.6 * rows), squeeze=False)
    line = 0
    for title, panels in ROWS.items():
        for number in range(_COLUMNS * math.ceil(len(panels) / _COLUMNS)):
            axes = grid[line + number // _COLUMNS][number % _COLUMNS]
            if number < len(panels):
                _panel(axes, panels[number], title if number == 0 else "", prometheus, span_s)
            else:
                axes.axis("off")
        line += math.ceil(len(panels) / _COLUMNS)
    figure.tight_layout()
    figure.savefig(file, dpi=55)
    plt.close(figure)


def _panel(axes: Any, panel: Panel, row: str, prometheus: str, span_s: float) -> None:
    named = [
        (_legend(query.legend, series["metric"]), series["values"])
        for query in panel.queries
        for series in run_query(prometheus, query, span_s=span_s)
    ]
    end = time.time()
    for name, values in named:
        axes.plot([float(at) - end for at, _ in values], [float(value) for _, value in values], label=name)
    axes.set_title(panel.title, fontsize=10)
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, alpha=0.3)
    axes.set_ylim(bottom=0)
    axes.set_xlim(-span_s, 0)
    axes.set_ylabel(panel.unit, fontsize=7)
    if row:
        axes.text(0, 1.18, row, transform=axes.transAxes, fontsize=13, fontweight="bold")
    if named:
        axes.legend(fontsize=6, loc="best", ncols=1 + (len(named) > _MAX_LEGEND))


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return pattern


if __name__ == "__main__":
    draw(sys.argv[1], Path(sys.argv[2]))

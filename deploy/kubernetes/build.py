"""`python -m deploy.kubernetes.build` makes the manifests that would otherwise be written twice or thrice.

Those of the three slots come from one template, the PrometheusRule from the rules in monitoring/prometheus. A test
makes them again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.route import COLOURS, SLOTS, Route
from deploy.runtimes.kubernetes_slots import deployment, disruption_budget, http_route, scaler, service

__all__ = ["HERE", "files", "main"]

HERE = Path(__file__).resolve().parent
_RULES = HERE.parent.parent / "monitoring/prometheus/rules"
_HEADER = "# Made by `python -m deploy.kubernetes.build`: change it there.\n"


def files() -> dict[Path, str]:
    """Path and text of every file that is made."""
    made: dict[Path, list[dict[str, Any]]] = {
        HERE / "base/platform/prometheusrule.yaml": [_prometheus_rule()],
        HERE / "base/slots/httproute.yaml": [http_route(Route(generation=1, production="blue"))],
    }
    for slot in SLOTS:
        made[HERE / f"base/slots/{slot}.yaml"] = [deployment(slot)]
        scaled = [scaler(slot)] if slot in COLOURS else []
        made[HERE / f"base/platform/{slot}.yaml"] = [service(slot), disruption_budget(slot), *scaled]
    return {path: _HEADER + _text(documents) for path, documents in made.items()}


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


def _prometheus_rule() -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pikkit-ml-api", "labels": {"app.kubernetes.io/name": "pikkit-ml-api"}},
        "spec": {"groups": list(_groups())},
    }


def _groups() -> Iterator[dict[str, Any]]:
    for path in sorted(_RULES.glob("*.yml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]


class _Indented(yaml.SafeDumper):
    """Indents lists, and writes no anchors: as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(documents: list[dict[str, Any]]) -> str:
    text: str = yaml.dump_all(
        documents, Dumper=_Indented, sort_keys=False, width=110, allow_unicode=True, explicit_start=True
    )
    return text


if __name__ == "__main__":
    main()

"""The judge of the cluster, asked of Prometheus, says what the judge of one host says; objects keep their schemas."""

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.canary.judge import difference_interval
from deploy.settings import DeploySettings
from tests.support.kustomize import render
from tests.support.need import need, root

pytestmark = pytest.mark.system
MINUTES = 10
PASS, MORE, FAIL = 0, 1, 2
# 5xx, 4xx, slow requests (of the canary, of all), grades A and F, mean probability: of production, then of the canary.
GOOD = {"requests": 1200, "5xx": 6, "4xx": 12, "slow": 24, "A": 120, "F": 1080, "unknown": 12, "p": 0.5}


def series(side: str, seen: dict[str, float]) -> list[dict[str, str]]:
    """A slot's counters, each growing evenly, so that ten minutes of it are the number given."""
    slot = "canary" if side == "canary" else "stable"

    def counter(name: str, total: float, **labels: str) -> dict[str, str]:
        told = ",".join(f'{key}="{value}"' for key, value in {"deployment": slot, **labels}.items())
        return {"series": f"{name}{{{told}}}", "values": f"0+{total / MINUTES / 4}x{MINUTES * 4 + 4}"}

    fine = seen["requests"] - seen["5xx"] - seen["4xx"]
    fast = seen["requests"] - seen["slow"]
    bets = seen["A"] + seen["F"]
    rows = [
        counter("pikkit_requests_total", count, endpoint="predict", status=status)
        for status, count in (("200", fine), ("400", seen["4xx"]), ("500", seen["5xx"]))
    ]
    rows += [
        counter("pikkit_prediction_latency_seconds_bucket", count, endpoint="predict", le=le)
        for le, count in (("0.01", fast), ("0.1", fast), ("1", seen["requests"]), ("+Inf", seen["requests"]))
    ]
    rows += [counter("pikkit_predictions_total", seen[grade], grade=grade) for grade in ("A", "F")]
    rows.append(counter("pikkit_unknown_categories_total", seen["unknown"], column="league"))
    rows.append(counter("pikkit_win_probability_sum", bets * seen["p"]))
    rows.append(counter("pikkit_win_probability_count", bets))
    return rows


def expected(share: str, canary: dict[str, float], tolerance: float) -> int:
    """What the judge of one host says of a share."""
    asked = "requests" if share != "unknown" else "bets"
    theirs, ours = ({**side, "bets": side["A"] + side["F"]} for side in (canary, GOOD))
    low, d, high = difference_interval((theirs[share], theirs[asked]), (ours[share], ours[asked]), 0.98)
    few = min(theirs[asked], ours[asked]) < 200
    if d > tolerance and low > 0 and (not few or (share == "5xx" and canary[asked] >= 20)):
        return FAIL
    return PASS if high <= tolerance and not few else MORE


CASES: dict[str, tuple[dict[str, float], dict[str, int]]] = {
    "as production": ({}, dict.fromkeys(("latency", "grades", "probability"), PASS)),
    "fails a tenth": ({"5xx": 120}, {"5xx": FAIL, "4xx": PASS}),
    "fails a little more": ({"5xx": 24}, {"5xx": MORE}),
    "refuses everything": ({"4xx": 1190}, {"4xx": FAIL, "5xx": PASS}),
    "knows fewer names": ({"unknown": 300}, {"unknown": FAIL}),
    "slow": ({"slow": 300}, {"latency": FAIL}),
    "a little slow": ({"slow": 96}, {"latency": MORE}),
    "grades otherwise": ({"A": 480, "F": 720}, {"grades": FAIL}),
    "thinks otherwise": ({"p": 0.55}, {"probability": FAIL}),
    "little seen": (
        {"requests": 100, "5xx": 1, "4xx": 1, "slow": 1, "A": 10, "F": 90, "unknown": 1},
        dict.fromkeys(("5xx", "4xx", "unknown", "latency", "grades", "probability"), MORE),
    ),
    "little seen, and much of it fails": (
        {"requests": 60, "5xx": 20, "4xx": 1, "slow": 1, "A": 6, "F": 54, "unknown": 1},
        {"5xx": FAIL, "4xx": MORE, "grades": MORE},
    ),
}


def test_prometheus_judges_good_and_failing_canaries_as_one_host_does(tmp_path: Path) -> None:
    settings = DeploySettings()
    tolerances = {
        "5xx": settings.judge_error_rate,
        "4xx": settings.judge_refused_rate,
        "unknown": settings.judge_unknown_share,
    }
    [judge] = [
        item["spec"]
        for item in render(root() / "deploy/kubernetes/canary")
        if item["kind"] == "PrometheusRule" and item["metadata"]["name"].endswith("judge")
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(judge))
    tests: list[dict[str, Any]] = []
    for changes, said in CASES.values():
        canary = {**GOOD, **changes}
        by_host = {name: expected(name, canary, most) for name, most in tolerances.items()}
        assert by_host.items() >= {name: said[name] for name in said.keys() & by_host.keys()}.items()
        verdicts = {**said, **by_host}
        asked = [
            {
                "expr": f'pikkit:judge:verdict{{measure="{name}"}}',
                "eval_time": f"{MINUTES}m30s",
                "exp_samples": [{"labels": f'pikkit:judge:verdict{{measure="{name}"}}', "value": verdict}],
            }
            for name, verdict in verdicts.items()
        ]
        inputs = [*series("production", GOOD), *series("canary", canary)]
        tests.append({"interval": "15s", "input_series": inputs, "promql_expr_test": asked})
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yml").write_text(json.dumps(content))
    done = subprocess.run(
        [need("promtool"), "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


VALIDATE = """
import {readFileSync} from "node:fs";
import {AnalysisTemplate, Rollout} from "@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1";
import {HTTPRoute} from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import {PrometheusRule, ServiceMonitor} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
const kinds = {Rollout, AnalysisTemplate, HTTPRoute, PrometheusRule, ServiceMonitor};
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((objects) => {
  try {
    return objects.filter((item) => kinds[item.kind]).map((item) => (new kinds[item.kind](item).validate(), item.kind));
  } catch (error) {
    return String(error);
  }
})));
"""


def test_custom_resources_keep_their_published_schemas() -> None:
    subprocess.run([root() / "tests/support/install_schemas.sh"], check=True)
    asked = []
    for overlay, service in (("canary", "stableService"), ("blue-green", "activeService")):
        objects = render(root() / "deploy/kubernetes" / overlay)
        wrong = copy.deepcopy(objects)
        [rollout] = [item for item in wrong if item["kind"] == "Rollout"]
        [how] = rollout["spec"]["strategy"].values()
        how[service] = 5
        asked += [objects, wrong]
    done = subprocess.run(
        [need("node"), "--input-type=module", "--eval", VALIDATE],
        cwd=os.environ.get("PIKKIT_SCHEMAS_DIR", "/var/tmp/pikkit-schemas"),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for right, wrong in (told[:2], told[2:]):
        assert isinstance(right, list), right
        assert len(right) == 5
        assert "Service" in wrong

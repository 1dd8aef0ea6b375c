import copy
import re
import subprocess
from typing import Any

import pytest
import yaml

from deploy.settings import DeploySettings
from pikkit.settings import Settings
from tests.support.kustomize import render
from tests.support.need import root
from tests.support.slow_import import kubernetes_validate

HERE = root() / "deploy/kubernetes"
OVERLAYS = ("canary", "blue-green")
CUSTOM = {"HTTPRoute", "ServiceMonitor", "PrometheusRule", "Rollout", "AnalysisTemplate"}
VERSION = "1.31"


def of(kind: str, overlay: str = "canary") -> list[dict[str, Any]]:
    return [item for item in render(HERE / overlay) if item["kind"] == kind]


def pod(overlay: str = "canary") -> dict[str, Any]:
    return of("Rollout", overlay)[0]["spec"]["template"]["spec"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_of_kubernetes_own_kinds_keeps_its_schema(overlay: str) -> None:
    objects = render(HERE / overlay)
    own = [item for item in objects if item["kind"] not in CUSTOM]
    for item in own:
        kubernetes_validate().validate(item, VERSION, strict=True)
    assert len(own) >= 8
    assert {item["kind"] for item in objects} >= CUSTOM
    # A Rollout's pods are a Deployment's: its template keeps that schema, whatever Argo's own says of it.
    rollout = of("Rollout", overlay)[0]
    names = ("selector", "template", "revisionHistoryLimit", "progressDeadlineSeconds")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": rollout["metadata"],
        "spec": {name: rollout["spec"][name] for name in names},
    }
    kubernetes_validate().validate(deployment, VERSION, strict=True)
    broken = copy.deepcopy(deployment)
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate().ValidationError):
        kubernetes_validate().validate(broken, VERSION, strict=True)


def test_the_rules_are_those_of_prometheus() -> None:
    done = subprocess.run([HERE / "rules.sh"], capture_output=True, text=True, check=True)
    groups = [
        group
        for path in sorted((root() / "monitoring/prometheus/rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert yaml.safe_load(done.stdout)["spec"]["groups"] == groups
    assert len(groups) >= 2


def test_every_pod_is_scraped_once_with_the_labels_that_the_rules_count_on() -> None:
    monitor = of("ServiceMonitor")[0]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    scraped = [service for service in of("Service") if wanted <= service["metadata"]["labels"].items()]
    assert [service["metadata"]["labels"][monitor["jobLabel"]] for service in scraped] == ["pikkit"]
    endpoint = monitor["endpoints"][0]
    slot = next(item for item in endpoint["relabelings"] if item["targetLabel"] == "deployment")
    assert slot["sourceLabels"] == ["__meta_kubernetes_pod_label_pikkit_ml_slot"]
    for overlay in OVERLAYS:
        strategy = of("Rollout", overlay)[0]["spec"]["strategy"]
        [how] = strategy.values()
        labels = [how[name]["labels"]["pikkit.ml/slot"] for name in how if name.endswith("Metadata")]
        assert sorted(labels) == (["canary", "stable"] if "canary" in strategy else ["preview", "stable"])


def test_pods_keep_the_restricted_profile() -> None:
    labels = of("Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    spec = pod()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all(set(volume) == {"name", "emptyDir"} for volume in spec["volumes"])
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    values = {item["name"]: item["value"] for item in container["env"]}
    assert {values["DATA_DIR"], values["HOME"], "/tmp"} <= {item["mountPath"] for item in container["volumeMounts"]}


def test_a_pod_has_the_time_to_finish_its_longest_request() -> None:
    longest = Settings.model_fields["request_timeout"].default
    pause = int(pod()["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod()["terminationGracePeriodSeconds"] > pause + longest


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_objects_name_only_what_there_is(overlay: str) -> None:
    services = {item["metadata"]["name"]: item["spec"]["ports"] for item in of("Service", overlay)}
    for rule in of("HTTPRoute", overlay)[0]["spec"]["rules"]:
        for ref in rule.get("backendRefs", []):
            assert ref["port"] in [port["port"] for port in services[ref["name"]]]
    rollout = of("Rollout", overlay)[0]
    [how] = rollout["spec"]["strategy"].values()
    assert {how[name] for name in how if name.endswith("Service")} == {"pikkit-ml-api", "pikkit-ml-api-next"}
    assert {item["spec"]["scaleTargetRef"]["name"] for item in of("HorizontalPodAutoscaler", overlay)} == {
        rollout["metadata"]["name"]
    }
    assert "replicas" not in rollout["spec"]  # the autoscaler's, or an apply would set them back
    labels = rollout["spec"]["template"]["metadata"]["labels"].items()
    assert all(item["spec"]["selector"].items() <= labels for item in of("Service", overlay))
    assert of("PodDisruptionBudget", overlay)[0]["spec"]["selector"]["matchLabels"].items() <= labels
    policy = of("NetworkPolicy", overlay)[0]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels
    port = pod(overlay)["containers"][0]["ports"][0]["containerPort"]
    assert policy["ingress"][0]["ports"] == [{"port": port, "protocol": "TCP"}]
    asked = re.findall(r"templateName: ([\w-]+)", (HERE / overlay / "kustomization.yaml").read_text())
    assert set(asked) <= {item["metadata"]["name"] for item in of("AnalysisTemplate", overlay)}
    namespaces = {item["metadata"].get("namespace") for item in render(HERE / overlay)} - {None}
    assert namespaces == {of("Namespace", overlay)[0]["metadata"]["name"]}


def test_settings_are_known_to_the_service_and_hold_no_secret() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    named = {*of("ConfigMap")[0]["data"], *(item["name"] for item in pod()["containers"][0]["env"])}
    foreign = {"HOME", "BENTOML_DO_NOT_TRACK", "OMP_NUM_THREADS"}
    assert {name.lower() for name in named - foreign} <= set(Settings.model_fields)
    assert not {name.lower() for name in named} & secret
    assert not of("Secret")


def test_what_the_analysis_asks_for_is_what_the_judge_records() -> None:
    rules = of("PrometheusRule")[0]["spec"]["groups"][0]["rules"]
    recorded = {rule["labels"]["measure"] for rule in rules if rule["record"] == "pikkit:judge:verdict"}
    queries = [metric["provider"]["prometheus"]["query"] for metric in of("AnalysisTemplate")[0]["spec"]["metrics"]]
    assert {re.fullmatch(r'pikkit:judge:verdict\{measure="(\w+)"\}', query)[1] for query in queries} == recorded  # type: ignore[index]
    assert len(recorded) == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("judge_min_requests", ">= bool {}\n"),
        ("judge_error_rate", 'measure="5xx"}} > bool {})'),
        ("judge_refused_rate", 'measure="4xx"}} > bool {})'),
        ("judge_unknown_share", 'measure="unknown"}} > bool {})'),
        ("judge_p95_ratio", "clamp_min({} * "),
        ("judge_p95_floor_s", 'side="production"}}, {})'),
        ("judge_grade_distance", "grade_distance > bool {})"),
        ("judge_probability", "probability_difference > bool {})"),
    ],
)
def test_the_thresholds_are_those_of_the_judge(name: str, words: str) -> None:
    text = (HERE / "base/judge.yaml").read_text()
    assert words.format(f"{DeploySettings.model_fields[name].default:g}") in text

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pikkit.settings import Settings
from tests.support.kustomize import render
from tests.support.need import root
from tests.support.slow_import import kubernetes_validate

ROOT = root()
HERE = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.parent for path in HERE.glob("overlays/*/*/kustomization.yaml"))
CRDS = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
VERSION = "1.31"


def everything(overlay: str) -> list[dict[str, Any]]:
    folder = HERE / "overlays" / overlay
    return [*render(folder / "platform"), *render(folder / "slots")]


def of(kind: str, overlay: str = "production") -> list[dict[str, Any]]:
    return [item for item in everything(overlay) if item["kind"] == kind]


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda path: "-".join(path.parts[-2:]))
def test_every_object_keeps_the_schema_of_the_api(folder: Path) -> None:
    objects = render(folder)
    for item in objects:
        if item["kind"] not in CRDS:
            kubernetes_validate().validate(item, VERSION, strict=True)
    assert len(objects) >= 4


def test_the_schema_check_can_fail() -> None:
    broken = copy.deepcopy(of("Deployment")[0])
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate().ValidationError):
        kubernetes_validate().validate(broken, VERSION, strict=True)


def test_the_rules_are_those_of_prometheus() -> None:
    groups = [
        group
        for path in sorted((ROOT / "monitoring/prometheus/rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert of("PrometheusRule")[0]["spec"]["groups"] == groups
    assert len(groups) >= 2


def test_series_have_the_labels_that_the_rules_count_on() -> None:
    monitor = of("ServiceMonitor")[0]["spec"]
    services = of("Service")
    assert monitor["selector"]["matchLabels"].items() <= services[0]["metadata"]["labels"].items()
    assert [service["metadata"]["labels"][monitor["jobLabel"]] for service in services] == ["pikkit"] * 3
    config = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text())
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "pikkit")
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    endpoint = monitor["endpoints"][0]
    told = [{names.get(name, name): value for name, value in item.items()} for item in endpoint["metricRelabelings"]]
    assert told == job["metric_relabel_configs"]
    assert {item["targetLabel"] for item in endpoint["relabelings"]} == {"deployment", "version"}


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_slots_differ_in_nothing_but_their_name(overlay: str) -> None:
    texts = {
        yaml.safe_dump(item).replace(item["metadata"]["name"].rpartition("-")[2], "SLOT")
        for item in of("Deployment", overlay)
    }
    assert len(of("Deployment", overlay)) == 3
    assert len(texts) == 1


def test_pods_keep_the_restricted_profile() -> None:
    labels = of("Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for item in of("Deployment"):
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_what_is_written_to_is_writable() -> None:
    container = of("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    values = {item["name"]: item["value"] for item in container["env"]}
    mounted = {item["mountPath"] for item in container["volumeMounts"]}
    assert {values["DATA_DIR"], values["HOME"], "/tmp"} <= mounted


def test_a_pod_has_the_time_to_finish_its_longest_request() -> None:
    pod = of("Deployment")[0]["spec"]["template"]["spec"]
    longest = Settings.model_fields["request_timeout"].default
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause + longest


def test_slots_are_born_stopped_and_closed() -> None:
    assert [item["spec"]["replicas"] for item in of("Deployment")] == [0, 0, 0]
    split = of("HTTPRoute")[0]["spec"]["rules"][-1]["backendRefs"]
    assert [item["weight"] for item in split] == [0, 0, 0]


def test_what_may_be_applied_again_holds_nothing_that_deploys_change() -> None:
    kinds = {item["kind"] for item in render(HERE / "overlays/production/platform")}
    assert not kinds & {"Deployment", "HTTPRoute"}


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_objects_name_only_what_there_is(overlay: str) -> None:
    services = {item["metadata"]["name"]: item["spec"]["ports"] for item in of("Service", overlay)}
    route = of("HTTPRoute", overlay)[0]
    for rule in route["spec"]["rules"]:
        for ref in rule.get("backendRefs", []):
            assert ref["port"] in [port["port"] for port in services[ref["name"]]]
    deployments = {item["metadata"]["name"] for item in of("Deployment", overlay)}
    assert {item["spec"]["scaleTargetRef"]["name"] for item in of("HorizontalPodAutoscaler", overlay)} < deployments
    for item in of("Deployment", overlay):
        labels = item["spec"]["template"]["metadata"]["labels"].items()
        selectors = [other["spec"]["selector"] for other in of("Service", overlay)]
        budgets = [other["spec"]["selector"]["matchLabels"] for other in of("PodDisruptionBudget", overlay)]
        assert sum(selector.items() <= labels for selector in selectors) == 1
        assert sum(budget.items() <= labels for budget in budgets) == 1
        policy = of("NetworkPolicy", overlay)[0]["spec"]["podSelector"]["matchLabels"]
        assert policy.items() <= labels
    namespaces = {item["metadata"].get("namespace") for item in everything(overlay)} - {None}
    assert namespaces == {of("Namespace", overlay)[0]["metadata"]["name"]}


def test_settings_are_known_to_the_service_and_hold_no_secret() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    container = of("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    named = {*of("ConfigMap")[0]["data"], *(item["name"] for item in container["env"])}
    foreign = {"HOME", "BENTOML_DO_NOT_TRACK", "OMP_NUM_THREADS"}
    assert {name.lower() for name in named - foreign} <= set(Settings.model_fields)
    assert not {name.lower() for name in named} & secret
    assert not of("Secret")


def test_the_network_policy_allows_the_port_that_pods_listen_on() -> None:
    port = of("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
    assert of("NetworkPolicy")[0]["spec"]["ingress"][0]["ports"] == [{"port": port, "protocol": "TCP"}]

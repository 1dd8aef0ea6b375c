"""The commands against an API server on loopback, by the official client over real HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from deploy.compose_kubernetes import kubernetes_machine
from deploy.errors import CanaryFailed, DeployError, GateFailed, RouterError, UsageError
from deploy.kubernetes.build import HERE
from deploy.machine import Machine
from deploy.operations import Operations
from deploy.progress import ConsoleProgress
from deploy.report import status
from deploy.runtimes.kubernetes_cluster import HTTP_ROUTES, PODS
from deploy.runtimes.kubernetes_settings import KubernetesSettings
from deploy.settings import DeploySettings
from tests.support.deploy_stack import StubReleases
from tests.support.kube_server import KubeServer
from tests.support.kustomize import render
from tests.support.need import root

ROUTE = "pikkit-ml-api"


@pytest.fixture
def server() -> Iterator[KubeServer]:
    plural = {"Deployment": "deployments", "HorizontalPodAutoscaler": "horizontalpodautoscalers"}
    plural["HTTPRoute"] = "httproutes"
    with KubeServer() as server:
        for item in [*render(HERE / "overlays/production/platform"), *render(HERE / "overlays/production/slots")]:
            if item["kind"] in plural:
                server.add(plural[item["kind"]], item)
        yield server


@pytest.fixture
def machine(server: KubeServer, tmp_path: Path) -> Iterator[Machine]:
    yield from _machine(server, tmp_path)


def _machine(server: KubeServer, folder: Path) -> Iterator[Machine]:
    settings = DeploySettings.model_validate(
        {
            "runtime": "kubernetes",
            "run_dir": folder / "run",
            "ready_timeout_s": 5,
            "stop_grace_s": 2,
            "drain_timeout_s": 1,
            "warmup_requests": 2,
            "judge_min_requests": 50,
        }
    )
    own = KubernetesSettings(
        image="registry.example/pikkit_ml_api", kube_timeout_s=0.4, route_timeout_s=0.6, route_settle_s=0
    )
    access = client.Configuration(host=server.url)
    access.api_key["authorization"] = "Bearer test"
    releases = folder / "releases"
    releases.mkdir()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        (releases / f"{version}.json").write_text("{}")
    machine = kubernetes_machine(settings, StubReleases(releases), ConsoleProgress(), own, access)
    yield machine
    machine.probe.close()


@pytest.fixture
def operations(machine: Machine) -> Operations:
    return Operations(machine, 1)


def weights(server: KubeServer) -> list[int]:
    return [ref["weight"] for ref in server.object("httproutes", ROUTE)["spec"]["rules"][-1]["backendRefs"]]


def replicas(server: KubeServer, slot: str) -> int:
    return int(server.object("deployments", f"pikkit-ml-api-{slot}")["spec"]["replicas"])


def test_a_first_deploy_makes_blue_production(server: KubeServer, machine: Machine, operations: Operations) -> None:
    operations.deploy("1.0.0")
    assert weights(server) == [100, 0, 0]
    assert server.send(100) == {"1.0.0": 100}
    found = server.object("deployments", "pikkit-ml-api-blue")
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/pikkit_ml_api:1.0.0"
    assert {"name": "APP_VERSION", "value": "1.0.0"} in container["env"]
    assert container["readinessProbe"], "the rest of the template stays"
    assert replicas(server, "blue") == 3, "the autoscaler's least"
    told = status(machine)
    assert told["slots"]["blue"] | {"models": None} == told["slots"]["blue"] | {
        "role": "production",
        "running": True,
        "version": "1.0.0",
        "workers": 3,
        "health": "healthy",
        "models": None,
    }


def test_a_second_deploy_switches_and_rollback_goes_back_at_once(server: KubeServer, operations: Operations) -> None:
    operations.deploy("1.0.0")
    server.change("deployments", "pikkit-ml-api-blue", {"spec": {"replicas": 5}})  # as an autoscaler does
    operations.deploy("1.1.0")
    assert weights(server) == [0, 100, 0]
    assert replicas(server, "green") == 5, "a switch under load is no squeeze"
    assert replicas(server, "blue") == 5, "warm for a rollback"
    operations.rollback()
    assert weights(server) == [100, 0, 0]
    assert server.send(50) == {"1.0.0": 50}


def test_a_canary_gets_its_share_and_is_promoted(server: KubeServer, machine: Machine, operations: Operations) -> None:
    operations.deploy("1.0.0")
    operations.canary("1.1.0", None, 20, None)
    assert weights(server) == [80, 0, 20]
    assert server.send(5000) == {"1.0.0": 4000, "1.1.0": 1000}
    rules = server.object("httproutes", ROUTE)["spec"]["rules"]
    assert [rule["matches"][0]["headers"][0]["value"] for rule in rules[1:-1]] == ["blue", "canary"]
    verdict = operations.verdict()
    assert verdict.outcome == "pass", verdict.rows
    operations.promote()
    assert weights(server) == [0, 100, 0]
    assert replicas(server, "canary") == 0
    assert machine.runtime.observe("green").version == "1.1.0"


def test_a_canary_with_errors_is_judged_over_all_pods_and_withdrawn(server: KubeServer, operations: Operations) -> None:
    operations.deploy("1.0.0")
    operations.canary("1.1.0", None, 50, None)
    server.send(1000, errors={"1.1.0": 4})
    with pytest.raises(CanaryFailed):
        operations.promote()
    operations.rollback()
    assert weights(server) == [100, 0, 0]
    assert replicas(server, "canary") == 0


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("pull", "ErrImagePull: rpc error: manifest unknown: push the image"),
        ("config", "CreateContainerConfigError: secret"),
        ("crash", "CrashLoopBackOff"),
        ("oom", "OOMKilled: it needs more memory"),
        ("unschedulable", "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.: add nodes"),
        ("never", "not ready within progressDeadlineSeconds"),
    ],
)
def test_pods_that_never_get_ready_are_told_early_and_production_stays(
    server: KubeServer, operations: Operations, how: str, words: str
) -> None:
    operations.deploy("1.0.0")
    server.told["1.1.0"] = how
    with pytest.raises(GateFailed, match="green ended before it was ready") as failed:
        operations.deploy("1.1.0")
    assert words in str(failed.value)
    assert weights(server) == [100, 0, 0]
    assert replicas(server, "green") == 0
    if how == "crash":
        assert "1.1.0: no such column 'clv'" in failed.value.log
    operations.deploy("1.2.0")
    assert weights(server) == [0, 100, 0]


def test_a_conflict_is_read_again_and_tried_again(server: KubeServer, operations: Operations) -> None:
    operations.deploy("1.0.0")
    server.meddle = [{"metadata": {"annotations": {"seen-by": "somebody"}}}]
    operations.deploy("1.1.0")
    assert weights(server) == [0, 100, 0]
    notes = [
        server.object(kind, name)["metadata"]["annotations"]
        for kind, name in [
            ("deployments", "pikkit-ml-api-green"),
            ("httproutes", ROUTE),
            ("deployments", "pikkit-ml-api-blue"),
        ]
    ]
    assert any(note.get("seen-by") == "somebody" for note in notes), "what others wrote is kept"


def test_conflicts_without_end_are_told(server: KubeServer, machine: Machine, operations: Operations) -> None:
    operations.deploy("1.0.0")
    route = machine.router.get()
    assert route
    server.faults["PATCH httproutes"] = [409] * 10
    with pytest.raises(RouterError, match="changed by others 4 times"):
        machine.router.set(route.moved())
    assert weights(server) == [100, 0, 0]


def test_a_route_that_somebody_else_moves_is_not_overwritten(
    server: KubeServer, machine: Machine, operations: Operations
) -> None:
    operations.deploy("1.0.0")
    route = machine.router.get()
    assert route
    rules = server.object("httproutes", ROUTE)["spec"]["rules"]
    rules[-1]["backendRefs"][0]["weight"], rules[-1]["backendRefs"][2]["weight"] = 70, 30
    server.meddle = [{"spec": {"rules": rules}}]
    with pytest.raises(RouterError, match="by somebody else"):
        machine.router.set(route.moved())
    assert weights(server) == [70, 0, 30]
    live = machine.router.get()
    assert live
    assert (live.production, live.weight) == ("blue", 30), "what is live is read from the weights"


@pytest.mark.parametrize(
    ("gateway", "words"), [("refuse", "ResolvedRefs=False, BackendNotFound"), ("ignore", "not looked")]
)
def test_a_route_that_the_gateway_does_not_take_is_put_back(
    server: KubeServer, operations: Operations, gateway: str, words: str
) -> None:
    operations.deploy("1.0.0")
    server.gateway = gateway
    with pytest.raises(RouterError, match=words):
        operations.deploy("1.1.0")
    assert weights(server) == [100, 0, 0]
    assert replicas(server, "green") == 0


def test_without_a_gateway_the_error_says_so(server: KubeServer, operations: Operations) -> None:
    server.gateway = "ignore"
    with pytest.raises(RouterError, match="is a Gateway API controller installed"):
        operations.deploy("1.0.0")


def test_a_watch_that_is_too_old_is_begun_from_a_new_list(server: KubeServer, machine: Machine) -> None:
    cluster = machine.router._cluster  # type: ignore[attr-defined]
    calls: list[int] = []

    def done(objects: object) -> bool:
        calls.append(1)
        if len(calls) == 1:
            server.compact("httproutes")
        return len(calls) == 2

    assert cluster.wait(HTTP_ROUTES, {}, done, 3)
    assert server.requests.count("GET httproutes") == 2
    server.faults["WATCH httproutes"] = [410]
    later = iter([False, True])
    assert cluster.wait(HTTP_ROUTES, {}, lambda _: next(later), 3)
    assert not server.faults["WATCH httproutes"]


def test_a_watch_ends_in_time(machine: Machine) -> None:
    cluster = machine.router._cluster  # type: ignore[attr-defined]
    begin = machine.clock.monotonic()
    assert not cluster.wait(PODS, {}, lambda _: False, 0.3)
    assert machine.clock.monotonic() - begin < 2.5


@pytest.mark.parametrize("fault", [429, 500, 503, "hang"])
def test_reads_are_tried_again(server: KubeServer, operations: Operations, fault: int | str) -> None:
    server.faults["GET deployments"] = [fault, fault]
    server.faults["GET httproutes"] = [fault]
    operations.deploy("1.0.0")
    assert weights(server) == [100, 0, 0]


def test_a_server_that_hangs_is_told_and_not_waited_for(server: KubeServer, machine: Machine) -> None:
    server.faults["GET deployments"] = ["hang"] * 10
    begin = machine.clock.monotonic()
    with pytest.raises(DeployError, match=r"does not answer GET .* within 0.4 s"):
        machine.runtime.observe("blue")
    assert machine.clock.monotonic() - begin < 5


def test_a_write_that_timed_out_is_not_sent_twice(server: KubeServer, machine: Machine) -> None:
    server.faults["PATCH deployments"] = ["hang", "hang"]
    release = machine.releases.get("1.0.0")
    assert release
    with pytest.raises(DeployError, match="does not answer PATCH"):
        machine.runtime.start("blue", release, workers=1)
    assert server.requests.count("PATCH deployments") == 1


@pytest.mark.parametrize(
    ("code", "words"), [(401, "sign in again"), (403, "bind the Role"), (404, "apply the manifests first")]
)
def test_refusals_name_the_remedy(server: KubeServer, operations: Operations, code: int, words: str) -> None:
    server.faults["GET httproutes"] = [code] * 5
    with pytest.raises(RouterError, match=words):
        operations.deploy("1.0.0")


def test_pods_that_do_not_end_are_told(server: KubeServer, machine: Machine, operations: Operations) -> None:
    operations.deploy("1.0.0")
    server.stuck_pods = True
    machine.runtime.stop("blue", grace_s=0)
    assert "DELETE pods" in server.requests
    assert not machine.runtime.observe("blue").running


def test_stop_closes_the_route_and_up_opens_it_again(
    server: KubeServer, machine: Machine, operations: Operations
) -> None:
    operations.deploy("1.0.0")
    operations.stop_all()
    assert weights(server) == [0, 0, 0]
    assert not machine.router.running()
    assert replicas(server, "blue") == 0
    from deploy.startup import bring_up  # noqa: PLC0415

    bring_up(machine, operations, version=None, models=None, workers=None)
    assert weights(server) == [100, 0, 0]
    assert server.send(10) == {"1.0.0": 10}


def test_state_that_was_lost_is_rebuilt_from_the_cluster(
    server: KubeServer, machine: Machine, operations: Operations
) -> None:
    operations.deploy("1.0.0")
    operations.deploy("1.1.0")
    (machine.settings.run_dir / "state.json").unlink()
    operations.rollback()
    assert weights(server) == [100, 0, 0]


def test_the_token_goes_to_pods_only_by_way_of_the_api_server(machine: Machine, operations: Operations) -> None:
    operations.deploy("1.0.0")
    text = machine.probe.metrics(machine.runtime.base_urls("blue")[0])
    assert text
    assert text.count("pikkit_active_requests") == 3, "one for each pod"
    assert json.dumps(machine.probe.health(machine.runtime.base_urls("canary")[0])) == "null"


def test_the_command_line_finds_the_cluster_by_its_kubeconfig(server: KubeServer, tmp_path: Path) -> None:
    kubeconfig = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server.url}}],
        "users": [{"name": "test", "user": {"token": "test"}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    (tmp_path / "1.0.0.json").write_text("{}")
    environment = {
        **os.environ,
        "KUBECONFIG": str(tmp_path / "config"),
        "STUB_RELEASES": str(tmp_path),
        "DEPLOY_RUNTIME": "kubernetes",
        "DEPLOY_RUN_DIR": str(tmp_path / "run"),
        "DEPLOY_ROUTE_SETTLE_S": "0",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.support.deploy_stack", *arguments]
        return subprocess.run(
            command, env=environment, cwd=root(), capture_output=True, text=True, timeout=60, check=False
        )

    done = run("up", "--version", "1.0.0")
    assert done.returncode == 0, done.stderr
    assert "blue is production" in done.stderr
    assert weights(server) == [100, 0, 0]
    assert not (tmp_path / "run/supervisor.json").exists()
    assert set(server.tokens) == {"Bearer test"}
    environment["DEPLOY_KUBE_CONTEXT"] = "nowhere"
    done = run("status")
    assert done.returncode == UsageError.exit_code
    assert "set KUBECONFIG and DEPLOY_KUBE_CONTEXT" in done.stderr


def test_more_workers_than_the_autoscaler_allows_are_refused(operations: Operations) -> None:
    with pytest.raises(DeployError, match="99 replicas are over maxReplicas 12"):
        operations.deploy("1.0.0", workers=99)

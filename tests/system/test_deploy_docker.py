"""Releases as containers of one host, on a real engine: the same commands, and no dropped request."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.clock import Clock
from deploy.journal.journal import Journal
from deploy.processes import living
from tests.support.certificates import self_signed, shown
from tests.support.deploy_command import DeployCommand
from tests.support.deploy_load import traffic
from tests.support.engine import BASE_IMAGE, Engine
from tests.support.model_files import served_after, write_set
from tests.support.need import need, root
from tests.support.ports import free_block, free_port
from tests.support.waiting import eventually

TOKEN = "opens-what-is-for-operators"

pytestmark = [pytest.mark.system, pytest.mark.engine, pytest.mark.filterwarnings("ignore::ResourceWarning")]


class Stack(DeployCommand):
    """`python -m deploy` with DEPLOY_RUNTIME=docker."""

    def __init__(self, running: Engine, folder: Path) -> None:
        self.engine = running
        self.port = free_block()
        self.url = f"http://127.0.0.1:{self.port}"
        self.run_dir = folder / "run"
        super().__init__(
            **running.environment,
            BENTOML_HOME=str(folder / "bentoml"),
            DEPLOY_RUNTIME="docker",
            DEPLOY_RUN_DIR=str(self.run_dir),
            DEPLOY_BASE_PORT=str(self.port),
            ADMIN_TOKEN=TOKEN,
        )

    def compose(self, profile: str, variables: dict[str, str], *services: str) -> None:
        """Start services of a profile, as the documentation says."""
        line = ["docker", "compose", "--project-name", "pikkit", "--env-file", str(self.run_dir / "compose.env")]
        line += ["--file", str(root() / "deploy/compose.yaml"), "--profile", profile, "up", "--detach", *services]
        environment = {**self.environment, **variables}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def version(self) -> str:
        return str(httpx.get(f"{self.url}/health").json()["version"])

    def state(self, slot: str) -> dict[str, Any]:
        return json.loads(self.engine.docker("inspect", f"pikkit-ml-api-{slot}"))[0]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def stack(container_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    need("docker")
    folder = tmp_path_factory.mktemp("docker")
    container_engine.make_nginx(folder)
    made = Stack(container_engine, folder)
    try:
        assert "golden bets agree" in made.run("up", "--version", "1.0.0")
        yield made
    finally:
        made.environment["DEPLOY_STOP_GRACE_S"] = "5"
        made.run("stop", "--force")


def test_slots_and_load_balancer_are_the_containers_that_operators_know(stack: Stack) -> None:
    names = stack.engine.docker("ps", "--format", "{{.Names}}").split()
    assert {"pikkit-ml-api-blue", "pikkit-nginx-lb"} <= set(names)
    blue = stack.state("blue")
    assert blue["HostConfig"]["ReadonlyRootfs"]
    assert blue["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert blue["Config"]["User"] == "1034:1034"
    assert all(not mount["RW"] for mount in blue["Mounts"] if mount["Destination"] == "/app/models")
    reload, keys = f"http://127.0.0.1:{stack.port + 1}/api/v1/reload-models", {"authorization": f"Bearer {TOKEN}"}
    assert [httpx.post(reload, headers=sent).status_code for sent in ({}, keys)] == [401, 200]
    assert TOKEN not in json.dumps(blue)  # the slot reads it from a file
    assert stack.version() == "1.0.0"
    stack.run("verify", "--version", "1.0.0", "--requests", "20", "--p95-ms", "60000")


def test_deploy_canary_promote_and_rollback_are_not_noticed_by_clients(stack: Stack, tmp_path: Path) -> None:
    models = write_set(tmp_path / "models", "20260301_000000")
    with traffic(stack.port) as tally:
        stack.run("deploy", "--version", "1.1.0")
        assert stack.version() == "1.1.0"
        stack.run("canary", "--version", "1.2.0", "--weight", "30", "--models", str(models))
        stack.run("promote", "--force")
        assert stack.version() == "1.2.0"
        stack.run("rollback")
    assert tally.failed == 0, tally.failures
    assert {"blue", "green", "canary"} == set(tally.served)


def test_production_is_scaled_by_way_of_the_other_slot_and_a_worker_that_is_killed_comes_back(stack: Stack) -> None:
    before = stack.status()["production"]
    with traffic(stack.port) as tally:
        stack.run("scale", before, "2")
    assert tally.failed == 0, tally.failures
    slot = stack.status()["production"]
    assert slot != before
    assert stack.status()["slots"][slot]["workers"] == 2
    assert stack.state(slot)["Config"]["Labels"]["pikkit.workers"] == "2"
    master = psutil.Process(int(stack.state(slot)["State"]["Pid"]))

    def workers() -> set[int]:
        own = master.children(recursive=True)
        return {one.pid for one in living(lambda one: "_bentoml_impl.worker.service" in one.cmdline(), own)}

    killed = min(workers())
    with traffic(stack.port) as tally:
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: len(workers() - {killed}) == 2)
    assert stack.state(slot)["RestartCount"] == 0
    # What was under way in the killed one is lost, before its answer or within it, at most one request a client.
    assert set(tally.failures) <= {"post 502", "batch 502", "IncompleteReadError"}
    assert tally.failed <= 12


def test_the_load_balancer_speaks_tls_by_copies_of_the_files(stack: Stack, tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    stack.environment |= files
    stack.run("up")
    assert shown(stack.port) == (tmp_path / "cert.pem").read_text()
    for name in files:
        del stack.environment[name]
    stack.run("up")
    assert stack.version()


@pytest.mark.parametrize("profile", ["monitoring", "dev"])
def test_compose_takes_a_fresh_checkout_which_no_deploy_has_written_to(profile: str) -> None:
    line = [need("docker"), "compose", "--file", str(root() / "deploy/compose.yaml"), "--profile", profile, "config"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_profile_monitoring_watches_the_slots_that_run(stack: Stack, tmp_path: Path) -> None:
    ports = {"PROMETHEUS_PORT": str(free_port()), "ALERTMANAGER_PORT": str(free_port())}
    programs = {"prometheus": need("prometheus"), "alertmanager": need("prometheus-alertmanager")}
    for name, program in programs.items():  # stand for the official images, with the same command lines
        (tmp_path / name).write_bytes(Path(program).resolve().read_bytes())
        (tmp_path / name).chmod(0o755)
    copies = "".join(f"COPY {name} /bin/{name}\n" for name in programs)
    templates = Path("/usr/share/prometheus/alertmanager")  # Debian's reads them from files
    shutil.copytree(templates, tmp_path / "templates")
    copies += f"COPY templates {templates}\n"
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\n{copies}")
    stack.engine.docker("build", "--tag", "monitoring:made-here", str(tmp_path))
    images = dict.fromkeys(("PROMETHEUS_IMAGE", "ALERTMANAGER_IMAGE"), "monitoring:made-here")
    stack.compose("monitoring", {**ports, **images}, "prometheus", "alertmanager")
    try:
        api = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}/api/v1"
        slot = stack.status()["production"]
        eventually(lambda: [row for row in _targets(api) if row == (slot, "up")])
        rules = httpx.get(f"{api}/rules").json()["data"]["groups"]
        assert any(rule["type"] == "alerting" for group in rules for rule in group["rules"])
        manager = f"http://127.0.0.1:{ports['ALERTMANAGER_PORT']}/-/ready"
        eventually(lambda: httpx.get(manager).status_code == httpx.codes.OK)
    finally:
        stack.engine.docker("rm", "--force", "pikkit-prometheus", "pikkit-alertmanager")


def test_the_profile_dev_serves_the_working_tree(stack: Stack) -> None:
    port = free_port()
    user = f"{os.getuid()}:{os.getgid()}"
    stack.compose("dev", {"DEV_IMAGE": "pikkit-ml-api:1.0.0", "DEV_PORT": str(port), "DEV_USER": user}, "dev")
    try:
        health = eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/health").json())
        assert health["models_loaded"], stack.engine.docker("logs", "pikkit-dev")
        assert health["deployment"] == "local"
    finally:
        stack.engine.docker("rm", "--force", "pikkit-dev")


def test_a_route_that_is_lost_is_put_back(stack: Stack) -> None:
    live = stack.run_dir / "nginx/live"
    before = live.readlink()
    journal = Journal(stack.run_dir / "journal.db", Clock())
    eventually(lambda: journal.fact("route") == before.name)  # the supervisor has seen it
    live.unlink()
    eventually(lambda: live.is_symlink() and live.readlink() == before)
    eventually(lambda: any(entry["outcome"] == "route restored" for entry in journal.entries()))
    journal.close()


def _targets(api: str) -> list[tuple[str, str]]:
    found = httpx.get(f"{api}/targets").json()["data"]["activeTargets"]
    return [(target["labels"].get("deployment", ""), target["health"]) for target in found]


def test_new_models_reach_a_running_slot_through_its_read_only_mount(stack: Stack, tmp_path: Path) -> None:
    slot = httpx.get(f"{stack.url}/health").json()["deployment"]
    models = write_set(tmp_path / "new", "20260601_000000", seed=3)
    assert served_after(stack.url, models, stack.run_dir / "slots" / slot / "models") == "20260601_000000"


def test_a_slot_that_is_killed_comes_back_while_the_other_answers(stack: Stack) -> None:
    stack.run("deploy", "--version", "1.2.0", "--older-models")

    def answering() -> str:
        return str(httpx.get(f"{stack.url}/health").json()["deployment"])

    slot = answering()
    before = stack.state(slot)
    os.kill(int(before["State"]["Pid"]), 9)
    eventually(lambda: answering() != slot)
    eventually(lambda: stack.state(slot)["RestartCount"] == before["RestartCount"] + 1)
    eventually(lambda: answering() == slot)


def test_a_release_that_does_not_start_is_refused_and_production_is_untouched(stack: Stack) -> None:
    live = stack.version()
    stack.environment["DEPLOY_SLOT_MEMORY"] = "40m"
    stack.environment["DEPLOY_READY_TIMEOUT_S"] = "10"
    told = stack.run("deploy", "--version", "1.1.0", code=3)
    del stack.environment["DEPLOY_SLOT_MEMORY"], stack.environment["DEPLOY_READY_TIMEOUT_S"]
    assert "was stopped; production is untouched" in told
    assert stack.version() == live

"""The same releases on the engine of another machine, from here: a network of its own, reached by ssh only."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.docker_endpoint import endpoint
from deploy.settings import DeploySettings
from deploy.ssh_site import SshSite
from tests.support.deploy_command import DeployCommand
from tests.support.deploy_load import traffic
from tests.support.engine import BASE_IMAGE, NGINX_IMAGE, Engine, engine
from tests.support.far_host import FarHost, far_host
from tests.support.model_files import served_after, write_set
from tests.support.need import need
from tests.support.ports import free_block
from tests.support.sshd import Sshd

pytestmark = [pytest.mark.system, pytest.mark.engine, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PORT = 8000  # as on every host: it is another machine's
# Other tests build versions of their own on the same engine.
FIRST = "2.0.0"
VERSIONS = ("2.1.0", "2.2.0", "2.3.0", "2.4.0", "2.5.0")


class Laptop(DeployCommand):
    """Someone who deploys, with a checkout and a folder of their own."""

    def __init__(self, folder: Path, config: Path, docker_host: str, remote_dir: Path) -> None:
        self.folder = folder
        super().__init__(
            PATH=f"/usr/bin:{os.environ['PATH']}",
            BENTOML_HOME=str(folder / "bentoml"),
            BASE_IMAGE=BASE_IMAGE,
            DOCKER_HOST=docker_host,
            DEPLOY_RUNTIME="docker",
            DEPLOY_RUN_DIR=str(folder / "run"),
            DEPLOY_SSH_CONFIG=str(config),
            DEPLOY_REMOTE_DIR=str(remote_dir),
            DEPLOY_HOST="0.0.0.0",
            DEPLOY_NGINX_IMAGE=NGINX_IMAGE,
            DEPLOY_IMAGE_OPTIONS="--network host",
        )

    def site(self) -> SshSite:
        names = ("run_dir", "ssh_config", "remote_dir")
        settings = {name: self.environment[f"DEPLOY_{name.upper()}"] for name in names}
        far = endpoint(self.environment, str)
        assert far is not None
        return SshSite(far, DeploySettings.model_validate({**settings, "runtime": "docker"}))


@pytest.fixture(scope="module")
def laptop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laptop")


@pytest.fixture(scope="module")
def host(container_engine: Engine, laptop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarHost]:
    """With an image that was built over ssh. It has no way out, so that was on the engine of this machine."""
    need("docker-compose")
    folder = tmp_path_factory.mktemp("far")
    container_engine.make_nginx(folder)
    (folder / "builder").mkdir()
    builder = Sshd(folder / "builder")
    try:
        there = f"ssh://{builder.user}@127.0.0.1:{builder.port}{container_engine.socket}"
        own = Laptop(laptop_folder, builder.client_config(), there, folder / "built")
        assert f"image pikkit-ml-api:{FIRST}" in own.run("build", "--version", FIRST, "--image")
    finally:
        builder.stop()
    with far_host(folder, hidden=laptop_folder) as made:
        _take(made.engine, container_engine)
        yield made


def _take(taker: Engine, other: Engine) -> None:
    taker.take(other, f"pikkit-ml-api:{FIRST}", NGINX_IMAGE)
    for version in VERSIONS:
        taker.docker("tag", f"pikkit-ml-api:{FIRST}", f"pikkit-ml-api:{version}")


@pytest.fixture(scope="module")
def laptop(host: FarHost, laptop_folder: Path) -> Iterator[Laptop]:
    made = Laptop(laptop_folder, host.sshd.client_config(), host.docker_host, host.folder)
    try:
        with socket.socket() as own:  # of this machine's loopback: it is nobody's business there
            own.bind(("127.0.0.1", 0))
            assert "golden bets agree" in made.run("up", "--version", FIRST)
        yield made
    finally:
        made.run("stop", "--force", DEPLOY_STOP_GRACE_S="5")


@pytest.fixture
def version(host: FarHost) -> Callable[[], str]:
    return lambda: _version(f"http://{host.address}:{PORT}")


def test_the_stack_is_there_and_nothing_of_it_is_here(
    laptop: Laptop, host: FarHost, version: Callable[[], str]
) -> None:
    assert {"pikkit-ml-api-blue", "pikkit-nginx-lb"} <= set(host.engine.docker("ps", "--format", "{{.Names}}").split())
    assert version() == FIRST
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{PORT}/health")
    assert {"state.json", "nginx", "slots", "audit.jsonl"} <= {path.name for path in host.folder.iterdir()}
    assert not list(laptop.folder.rglob("state.json"))
    secrets = list(laptop.folder.rglob("slot.env"))
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600]
    assert not list(host.folder.rglob("slot.env"))
    laptop.run("verify", "--version", FIRST, "--requests", "100", "--p95-ms", "2000")
    status = laptop.status()
    assert status["site"].startswith("ssh://")
    assert status["supervisor"] is None


def test_deploy_canary_promote_and_rollback_from_here_are_not_noticed_by_clients_there(
    laptop: Laptop, host: FarHost, version: Callable[[], str]
) -> None:
    with traffic(PORT, host=host.address) as tally:
        laptop.run("deploy", "--version", "2.1.0")
        assert version() == "2.1.0"
        laptop.run("canary", "--version", "2.2.0", "--weight", "30")
        time.sleep(1)
        laptop.run("promote", "--force")
        assert version() == "2.2.0"
        laptop.run("rollback")
        assert version() == "2.1.0"
    assert tally.failed == 0, tally.failures
    assert tally.requests > 500
    assert {"blue", "green", "canary"} == set(tally.served)


def test_a_command_is_locked_out_by_another_laptops_and_that_lock_ends_with_its_connection(
    laptop: Laptop, tmp_path: Path
) -> None:
    with contextlib.closing(laptop.site()) as other:
        lock = other.lock("deploy --version 9", print)
        lock.__enter__()
        told = laptop.run("rollback", code=6)
        assert "at `deploy --version 9`" in told
        assert "deploy --version 9" in laptop.status()["locked_by"]
        os.kill(other._connection.pid, signal.SIGKILL)
        told = laptop.run("canary", "--version", "2.2.0")
        assert "golden bets agree" in told
        lock.__exit__(None, None, None)
    laptop.run("rollback")
    assert laptop.status()["locked_by"] is None


@pytest.mark.parametrize("way", ["the connection is cut", "the command is killed"])
def test_after_a_break_during_a_deploy_production_is_as_it_was_and_the_next_command_goes_on(
    laptop: Laptop, host: FarHost, version: Callable[[], str], way: str
) -> None:
    live = laptop.status()
    with traffic(PORT, host=host.address, clients=4) as tally, laptop.start("deploy", "--version", "2.3.0") as command:
        assert command.stdout is not None
        for line in command.stdout:
            if line.startswith("  ✓ start"):
                break
        links = [child for child in psutil.Process(command.pid).children() if "-M" in child.cmdline()]
        assert len(links) == 1
        os.kill(links[0].pid if way == "the connection is cut" else command.pid, signal.SIGKILL)
        told = command.stdout.read()
        assert command.wait(30) == (1 if way == "the connection is cut" else -9), told
        if way == "the connection is cut":
            assert "the next command goes on from it" in told
        else:
            psutil.wait_procs(links, timeout=10)
            assert not links[0].is_running()
        seen = laptop.status()
        assert re.search("was interrupted at (start|wait)", seen["interrupted"])  # as far as the record had come
        assert seen["production"] == live["production"]
        told = laptop.run("deploy", "--version", "2.3.0", "--as-built")
        assert "never got traffic and was stopped" in told
        assert version() == "2.3.0"
        laptop.run("rollback")
    assert tally.failed == 0, tally.failures
    assert laptop.status()["production"] == live["production"]


def test_new_models_put_into_the_folder_there_are_loaded_and_carried_on(laptop: Laptop, host: FarHost) -> None:
    url = f"http://{host.address}:{PORT}"
    slot = httpx.get(f"{url}/health").json()["deployment"]
    models = write_set(host.folder.parent / "new", "20260601_000000", seed=3)
    assert served_after(url, models, host.folder / "slots" / slot / "models") == "20260601_000000"
    assert "hot-reloaded" in laptop.status()["slots"][slot]["models_note"]
    laptop.run("scale", slot, "2")
    assert laptop.status()["slots"][slot]["workers"] == 2
    assert httpx.get(f"{url}/health").json()["model_timestamp"] == "20260601_000000"


def test_another_laptop_by_a_docker_context_knows_what_the_first_one_did_and_can_take_it_back(
    laptop: Laptop, host: FarHost, version: Callable[[], str], tmp_path: Path
) -> None:
    before = version()
    laptop.run("deploy", "--version", "2.2.0", "--older-models")
    other = Laptop(tmp_path, host.sshd.client_config(), host.docker_host, host.folder)
    other.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    del other.environment["DOCKER_HOST"]
    subprocess.run(
        ["docker", "context", "create", "far", "--docker", f"host={host.docker_host}"],
        env=other.environment,
        check=True,
        capture_output=True,
    )
    other.environment["DOCKER_CONTEXT"] = "far"
    assert other.status()["rollback_to"] == before
    assert "deploy" in other.run("history")
    other.run("stop", "green" if other.status()["production"] == "blue" else "blue")  # what was warm
    assert "starting it anew" in other.run("rollback")
    assert version() == before
    assert not (tmp_path / "bentoml").exists()
    assert laptop.status()["rejected"] == "2.2.0"


def test_whoever_logs_in_to_another_folder_is_told_whose_stack_it_is(laptop: Laptop, host: FarHost) -> None:
    told = laptop.run("status", code=2, DEPLOY_REMOTE_DIR=str(host.folder.parent / "elsewhere"))
    assert f"reads {host.folder}" in " ".join(told.split())


@pytest.fixture
def near_engine(host: FarHost) -> Iterator[Engine]:
    """Beside that of other tests: names of containers are an engine's own."""
    with engine() as made:
        _take(made, host.engine)
        yield made


def test_a_fleet_of_two_engines_gets_a_release_host_by_host_and_a_refusal_on_the_second_tells_how_to_go_back(
    laptop: Laptop, host: FarHost, near_engine: Engine, tmp_path: Path
) -> None:
    port = free_block()
    near = {
        "DEPLOY_RUNTIME": "docker",
        "DOCKER_HOST": f"unix://{near_engine.socket}",
        "DEPLOY_RUN_DIR": str(tmp_path / "run"),
        "DEPLOY_BASE_PORT": str(port),
    }
    hosts = {"far": {"DEPLOY_RUNTIME": "docker", "DOCKER_HOST": host.docker_host}, "near": near}
    urls = (f"http://{host.address}:{PORT}", f"http://127.0.0.1:{port}")
    live = laptop.status()["slots"][laptop.status()["production"]]["version"]
    try:
        laptop.run("up", "--version", live, code=0, **near)
        fleet = ("fleet", "--inventory", str(_inventory(tmp_path / "two.toml", hosts)))
        with traffic(PORT, host=host.address, clients=4) as far, traffic(port, clients=4) as here:
            assert "done on far, near" in laptop.run(*fleet, "deploy", "--version", "2.4.0", "--older-models")
            assert [_version(url) for url in urls] == ["2.4.0", "2.4.0"]
            near |= {"DEPLOY_SLOT_MEMORY": "40m", "DEPLOY_READY_TIMEOUT_S": "15"}
            fleet = ("fleet", "--inventory", str(_inventory(tmp_path / "two.toml", hosts)))
            told = laptop.run(*fleet, "deploy", "--version", "2.5.0", "--older-models", code=3)
            assert re.search(r"near: FAILED \(exit code 3.*2\.4\.0 in production", told)
            assert [_version(url) for url in urls] == ["2.5.0", "2.4.0"]
            assert "hosts differ" in laptop.run(*fleet, "status", code=1)
            back = re.search(r"to go back: .* --only far rollback", told)
            assert back, told
            laptop.run(*fleet, "--only", "far", "rollback")
            assert [_version(url) for url in urls] == ["2.4.0", "2.4.0"]
        assert (far.failures, here.failures) == ({}, {})
    finally:
        laptop.run("stop", "--force", code=0, **near)


def _inventory(path: Path, hosts: dict[str, dict[str, str]]) -> Path:
    text = ""
    for name, environment in hosts.items():
        settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in environment.items())
        text += f"[[hosts]]\nname = {json.dumps(name)}\nlocal = true\n[hosts.env]\n{settings}"
    path.write_text(text)
    return path


def _version(url: str) -> str:
    return str(httpx.get(f"{url}/health", timeout=10).json()["version"])


def test_a_fleet_has_hosts_of_which_only_the_engine_is_used(laptop: Laptop, host: FarHost, tmp_path: Path) -> None:
    ways = {"far": host.docker_host, "down": f"ssh://{host.sshd.user}@{host.address}:1"}
    hosts = {name: {"DEPLOY_RUNTIME": "docker", "DOCKER_HOST": way} for name, way in ways.items()}
    fleet = ("fleet", "--inventory", str(_inventory(tmp_path / "hosts.toml", hosts)))
    status = laptop.run(*fleet, "status", code=1)
    assert re.search(r"down.*unreachable|unreachable.*down", " ".join(status.split()))
    assert "nothing was changed: down" in laptop.run(*fleet, "scale", "blue", "1", code=2)
    slot = laptop.status()["production"]
    assert "done on far" in laptop.run(*fleet, "--only", "far", "scale", slot, "2")
    assert laptop.status()["slots"][slot]["workers"] == 2

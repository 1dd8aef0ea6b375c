"""A release as a container image, on a real engine of the test's own."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.checks.verify import verify_contract
from tests.support.deploy_command import DeployCommand
from tests.support.engine import BASE_IMAGE, Engine
from tests.support.model_files import write_set
from tests.support.need import root
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.engine]

VERSION = "3.2.1"
TAG = f"pikkit-ml-api:{VERSION}"
BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "FanDuel", "odds": -110}
LIMITS = (
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--memory",
    "1g",
)


class Made(DeployCommand):
    """The engine, the folder that `deploy build --image` wrote to, and where the release lies."""

    def __init__(self, running: Engine, folder: Path) -> None:
        self.engine = running
        self.dist = folder / "dist"
        super().__init__(
            **running.environment,
            DEPLOY_RUN_DIR=str(folder / "run"),
            BENTOML_HOME=str(folder / "bentoml"),
            DATA_DIR=str(folder / "data"),
        )
        self.run("build", "--version", VERSION, "--image", "--out", str(self.dist))
        self.image: dict[str, Any] = json.loads(running.docker("image", "inspect", TAG))[0]

    def serve(self, name: str, *options: str) -> str:
        """Start a container; gives its address once it is ready."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self.engine.docker(
            *("run", "--detach", "--name", name, "--network", "host", "--env", f"PORT={port}"),
            *("--env", f"APP_VERSION={VERSION}", "--env", "BIND_HOST=127.0.0.1", *LIMITS, *options, TAG),
        )
        eventually(
            lambda: httpx.get(f"{address}/ready").status_code == httpx.codes.OK,
            told=lambda: self.engine.docker("logs", name),
        )
        return address

    def inside(self, *command: str) -> str:
        """Run a command of the image as its own user."""
        return self.engine.docker("run", "--rm", "--network", "none", "--entrypoint", command[0], TAG, *command[1:])


@pytest.fixture(scope="module")
def made(container_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    made = Made(container_engine, tmp_path_factory.mktemp("image"))
    yield made
    for name in ("contract", "reload", "stopped"):
        made.engine.docker("rm", "--force", name)


def test_the_image_tells_what_it_is_and_holds_no_more_than_it_needs(made: Made) -> None:
    record = json.loads((made.dist / "image.json").read_text())
    assert (record["tag"], record["id"]) == (TAG, made.image["Id"])
    config = made.image["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])
    assert labels["pikkit.models.version"] == "20260101_000000"
    assert config["User"] == "1034:1034"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "BENTOML_DO_NOT_TRACK=true" in config["Env"]
    base = json.loads(made.engine.docker("image", "inspect", BASE_IMAGE))[0]["Size"]
    assert made.image["Size"] - base < 330e6  # on the official slim image (122 MB): about 450 MB
    tools = made.inside("sh", "-c", "id -u; for t in gcc cc g++ make git uv; do command -v $t; done; true")
    assert tools.split() == ["1034"]


def test_a_base_image_other_than_the_bentos_is_refused(made: Made) -> None:
    told = made.run("build", "--version", VERSION, "--image", code=2, BASE_IMAGE="python:3.12-slim")
    assert f"built for the base image {BASE_IMAGE}, not python:3.12-slim" in " ".join(told.split())


def test_the_image_holds_no_secret_no_test_and_no_file_of_the_checkout_but_the_service(made: Made) -> None:
    assert not [name for name in made.image["Config"]["Env"] if re.search(r"TOKEN|SECRET|PASSWORD|_KEY=", name)]
    files = made.inside("find", "/home/bentoml/bento/src", "-maxdepth", "1", "-mindepth", "1", "-printf", "%f\\n")
    assert set(files.split()) <= {
        *("service.py", "import_models.py", "README.md", "bentofile.yaml", "pikkit", "requirements", "models"),
        "__pycache__",
    }
    assert made.inside("sh", "-c", "ls -d /home/bentoml/bento/src/.env /root/.cache/* 2>/dev/null; true") == ""


def test_the_sbom_lists_what_is_locked_for_serving(made: Made) -> None:
    components = json.loads((made.dist / "sbom.json").read_text())["components"]
    found = {re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"] for part in components}
    lock = (root() / "requirements/serve.txt").read_text()
    for name in ("bentoml", "onnxruntime", "xgboost-cpu", "pydantic"):
        assert f"\n{name}=={found[name]} " in lock
    assert not {"pytest", "mypy", "playwright", "xgboost"} & set(found)


def test_a_container_without_a_writable_root_serves_the_whole_contract_and_becomes_healthy(made: Made) -> None:
    address = made.serve("contract", "--tmpfs", "/data:uid=1034,gid=1034")
    with httpx.Client(base_url=address, timeout=60) as client:
        faults = {check.name for check in verify_contract(client, VERSION) if check.fault}
    assert faults == {
        "metrics are closed",
        "reloading is closed",
        "X-Served-By is there",
    }  # all three are Nginx's
    eventually(lambda: made.engine.docker("inspect", "--format", "{{.State.Health.Status}}", "contract") == "healthy")
    used = made.engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "contract")
    assert used.split()[0].endswith("MiB")
    assert float(used.split("MiB")[0]) < 300


def test_new_models_in_a_folder_that_is_mounted_read_only_are_loaded(made: Made, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    models.chmod(0o755)
    address = made.serve(
        *("reload", "--tmpfs", "/data:uid=1034,gid=1034", "--volume", f"{models}:/app/models:ro"),
        *("--env", "RELOAD_INTERVAL=1"),
    )
    assert httpx.get(f"{address}/health").json()["model_timestamp"] == "20260101_000000"
    write_set(models, "20260501_120000")
    for file in models.iterdir():
        file.chmod(0o644)
    eventually(
        lambda: httpx.get(f"{address}/health").json()["model_timestamp"] == "20260501_120000",
        told=lambda: made.engine.docker("logs", "reload"),
    )


def test_a_stop_lets_requests_in_flight_finish(made: Made) -> None:
    address = made.serve("stopped", "--tmpfs", "/data:uid=1034,gid=1034")
    body = json.dumps({"bets": [BET] * 100}).encode()
    stop = threading.Thread(target=made.engine.docker, args=("stop", "--time", "40", "stopped"))

    def halves() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        stop.start()
        time.sleep(2)  # SIGTERM has come by now
        yield body[len(body) // 2 :]

    headers = {"content-type": "application/json", "content-length": str(len(body))}
    answer = httpx.post(f"{address}/api/v1/batch-predict", content=halves(), headers=headers)
    assert answer.status_code == 200
    assert answer.json()["summary"]["successful"] == 100
    stop.join()
    assert made.engine.docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", "stopped") == "0 false"

"""What a user of BentoML counts on, with BentoML's own clients and commands."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.support.need import root
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.server import Server, stocked
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
NOBODY = 65534
OF_THE_USER = """
import bentoml
from service import PikkitMlApi

class Auth:
    def __init__(self, app): self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and (b"x-mine", b"yes") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"members only"})
        else:
            await self.app(scope, receive, send)

PikkitMlApi.add_asgi_middleware(Auth)
"""
CLIENTS = """
import asyncio, json, sys
import bentoml

url, bet = json.loads(sys.argv[1])
told = {}
with bentoml.SyncHTTPClient(url) as client:
    told["sync"] = client.predict({**bet, "dry_run": True})
    told["many"] = client.batch_predict(bets=[bet, {"sport": "x"}], dry_run=True)
    try:
        client.predict({**bet, "odds": 7})
    except bentoml.exceptions.BentoMLException as error:
        told["refused"] = repr(error)

async def scenario():
    async with bentoml.AsyncHTTPClient(url) as client:
        told["async"] = await client.predict(bet)

asyncio.run(scenario())
print(json.dumps(told))
"""
DEPENDENT = """
import bentoml
from service import PikkitMlApi

@bentoml.service
class Best:
    pikkit = bentoml.depends(PikkitMlApi)

    @bentoml.api
    async def best(self, bets: list[dict]) -> dict:
        one = await self.pikkit.to_async.predict(bets[0])
        many = await self.pikkit.to_async.batch_predict(bets=bets)
        return {"one": one, "many": many}
"""


def serve(folder: Path, target: str, *options: str, **environment: str) -> Process:
    """`bentoml serve` as a user types it, in the checkout, with a module of the user's own on the path."""
    settings = {
        "BENTOML_HOME": str(stocked(folder)),
        "DATA_DIR": str(folder / "data"),
        "ALERTS_ENABLED": "false",
        "PYTHONPATH": str(folder),
        **environment,
    }
    command = [sys.executable, "-m", "bentoml", "serve", target, *options]
    return Process(command, log=folder / "serve.log", env=settings, cwd=root())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bentoml"), ACCESS_LOG=1) as running:
        yield running


def without_time(prediction: dict[str, Any]) -> dict[str, Any]:
    return {**prediction, "timestamp": ""}


def test_both_clients_find_the_apis_by_name_and_get_what_http_gets(server: Server) -> None:
    expected = without_time(httpx.post(f"{server.url}/api/v1/predict", json=BET).json())
    asked = json.dumps([server.url, BET])
    done = subprocess.run([sys.executable, "-c", CLIENTS, asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert without_time(told["sync"]) == without_time(told["async"]) == expected
    assert without_time(told["many"]["predictions"][0]["prediction"]) == expected
    assert told["many"]["errors"][0]["error"]["field"] == "market"
    assert "InvalidArgument" in told["refused"]
    assert "not a price" in told["refused"]


def test_the_schemas_name_both_apis_and_every_route(server: Server) -> None:
    schema = httpx.get(f"{server.url}/schema.json").json()
    assert {route["name"]: route["route"] for route in schema["routes"]} == {
        "predict": "/api/v1/predict",
        "batch_predict": "/api/v1/batch-predict",
    }
    assert {"/health", "/ml-predict", "/batch-predict", "/metrics"} <= schema["paths"].keys()
    described = httpx.get(f"{server.url}/docs.json").json()
    assert {"/api/v1/predict", "/api/v1/batch-predict"} <= described["paths"].keys()


def test_no_other_user_of_the_machine_can_command_the_workers(server: Server) -> None:
    parent = psutil.Process(server.pid)
    processes = [parent, *parent.children(recursive=True)]
    listening = {connection.laddr.port for process in processes for connection in process.net_connections("tcp")
                 if connection.status == psutil.CONN_LISTEN}  # fmt: skip
    assert listening == {server.port}
    sockets = {
        Path(str(connection.laddr)) for connection in parent.net_connections("unix") if "/" in str(connection.laddr)
    }
    commands = [path for path in sockets if path.name == "commands"]
    assert commands, sockets
    for path in sockets:
        assert path.parent.stat().st_mode & 0o077 == 0, path
    if os.geteuid() == 0:
        there = subprocess.run(["/bin/sh", "-c", f"test -e {commands[0]}"], user=NOBODY, group=NOBODY, check=False)
        assert there.returncode != 0
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(str(commands[0]))


@pytest.mark.parametrize("batching", ["merge", "bentoml"])
def test_a_middleware_of_the_user_stands_before_every_route_and_answers_are_the_same(
    server: Server, tmp_path: Path, batching: str
) -> None:
    (tmp_path / "mine.py").write_text(OF_THE_USER)
    port = free_port()
    options = "services.pikkit_ml_api.metrics.enabled=true services.pikkit_ml_api.traffic.max_concurrency=64"
    environment = {"BATCHING": batching, "BENTOML_CONFIG_OPTIONS": options, "PORT": str(port), "BIND_HOST": "127.0.0.1"}
    bets = {"bets": [BET, {**BET, "odds": 7}, "no bet"], "explain": True}
    with serve(tmp_path, "mine:PikkitMlApi", "--development", **environment) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"x-mine": "yes"}) as mine:
            process.wait_until_http(f"http://127.0.0.1:{port}/schema.json?", headers={"x-mine": "yes"})
            for path in ("/api/v1/predict", "/api/v1/batch-predict", "/batch-predict"):
                refused = httpx.post(f"http://127.0.0.1:{port}{path}", json=BET)
                error = refused.json()["error"]
                assert (refused.status_code, error["code"], error["message"]) == (403, "forbidden", "members only")
            for method, path, body in [
                ("POST", "/api/v1/predict?explain=true&utm=1", {**BET, "stake": 5}),
                ("POST", "/api/v1/predict", {**BET, "odds": 7}),
                ("POST", "/api/v1/predict?dryrun=true", BET),
                ("POST", "/api/v1/batch-predict", bets),
                ("POST", "/api/v1/batch-predict", {"bets": []}),
                ("POST", "/batch-predict", {"bets": [BET, {}]}),
                ("GET", "/api/v1/predict?sport=x", None),
                ("GET", "/nowhere", None),
            ]:
                straight = httpx.request(method, server.url + path, json=body)
                layered = mine.request(method, path, json=body)
                assert layered.status_code == straight.status_code, (path, layered.text)
                assert _still(layered.json()) == _still(straight.json())
            metrics = mine.get("/metrics").text
            assert "pikkit_predictions_total" in metrics
            assert "bentoml_service_request_total" in metrics
            assert ("bentoml_service_adaptive_batch_size" in metrics) == (batching == "bentoml")
        assert "Traceback" not in process.log.read_text()


def _still(answer: Any) -> Any:
    """An answer without what differs at every request."""
    if isinstance(answer, dict):
        return {k: _still(v) for k, v in answer.items() if k not in ("timestamp", "request_id")}
    return [_still(item) for item in answer] if isinstance(answer, list) else answer


def test_another_service_depends_on_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "dependent.py").write_text(DEPENDENT)
    port = free_port()
    with serve(tmp_path, "dependent:Best", "--host", "127.0.0.1", "--port", str(port)) as process:
        process.wait_until_http(f"http://127.0.0.1:{port}/readyz")
        answer = httpx.post(f"http://127.0.0.1:{port}/best", json={"bets": [BET, {"sport": "x"}]})
        assert answer.status_code == 200, process.tail()
        expected = httpx.post(f"{server.url}/api/v1/batch-predict", json={"bets": [BET, {"sport": "x"}]}).json()
        assert _still(answer.json()["many"]) == _still(expected)
        assert _still(answer.json()["one"]) == _still(expected["predictions"][0]["prediction"])


def test_served_by_folder_with_reload_it_listens_where_the_settings_say_and_restarts(tmp_path: Path) -> None:
    port = free_port()
    with serve(tmp_path, ".", "--reload", PORT=str(port), BIND_HOST="127.0.0.1") as process:
        process.wait_until_http(f"http://127.0.0.1:{port}/ready")
        assert f"http://127.0.0.1:{port}" in process.log.read_text()
        before = _workers(process)

        def restarted() -> bool:
            now = _workers(process)
            if now & before:
                (root() / "service.py").touch()  # again and again: who looks at the files may not have begun yet
            return bool(now) and not now & before

        eventually(restarted, told=process.tail)
        process.wait_until_http(f"http://127.0.0.1:{port}/ready")


def _workers(process: Process) -> set[int]:
    """The processes below the one that `bentoml serve` is."""
    return {child.pid for child in psutil.Process(process.pid).children(recursive=True)}


BENTOML = "-m", "bentoml"
WORKER = "-m", "_bentoml_impl.worker.service", "service:PikkitMlApi", "--fd", "0", "--worker-id", "1"
COUNTED = "settings: WORKERS=x: write a number from 1 to 999, or cpu_count for one per core"
NO_EFFECT = "services.pikkit_ml_api.http.cors.enabled has no effect on this service: set CORS_ORIGINS"


def refused(folder: Path, *command: str, **environment: str) -> str:
    """The one line that a command ends with; with code 1."""
    settings = {**os.environ, "BENTOML_HOME": str(folder / "bentoml"), "DATA_DIR": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root(), env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if "Applying user config" not in line]
    return line


@pytest.mark.parametrize(
    ("command", "environment", "told"),
    [
        ((*BENTOML, "serve", "service:PikkitMlApi"), {"WORKERS": "x"}, f"Error: [serve] `serve` failed: {COUNTED}"),
        ((*BENTOML, "build"), {"WORKERS": "x"}, f"Error: [bentos] `build` failed: {COUNTED}"),
        (WORKER, {"WORKERS": "x"}, COUNTED),
        (
            (*BENTOML, "serve", "service:PikkitMlApi"),
            {"BENTOML_CONFIG_OPTIONS": "services.pikkit_ml_api.http.cors.enabled=true"},
            f"Error: [serve] `serve` failed: {NO_EFFECT}",
        ),
    ],
)
def test_what_is_set_wrong_is_one_line_of_every_process_that_imports_the_service(
    tmp_path: Path, command: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    assert refused(tmp_path, *command, **environment) == told


def test_a_port_that_is_taken_is_told_by_bentomls_own_command_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        told = refused(tmp_path, *BENTOML, "serve", ".", BIND_HOST="127.0.0.1", PORT=port)
    assert told.endswith(
        f"127.0.0.1:{port} can't be listened on (Address already in use): stop what listens there, or set PORT"
    )


def test_a_built_bento_carries_the_models_of_model_dir_from_an_empty_store_and_tells_what_is_set_wrong(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path / "bentoml"), "MODEL_DIR": str(root() / "models")}

    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--version", "test", "--output", "tag", "."],
        cwd=root(), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bento = yaml.safe_load((tmp_path / "bentoml/bentos/pikkit_ml_api/test/bento.yaml").read_text())
    [service] = bento["services"]
    assert [model["tag"] for model in service["models"]] == ["pikkit_bet_models:20260101_000000"]
    assert list((tmp_path / "bentoml/models/pikkit_bet_models").iterdir())
    told = refused(tmp_path, *BENTOML, "serve", "pikkit_ml_api:test", WORKERS="x")
    assert told == f"Error: [serve] `serve` failed: {COUNTED}"

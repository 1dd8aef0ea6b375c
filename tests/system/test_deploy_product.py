"""The product itself as Bentos: deployed under load, with its golden bets, and carried to an empty machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from deploy.canary.sample import Sample
from tests.support.deploy_command import DeployCommand
from tests.support.deploy_load import traffic
from tests.support.extension import BADGES, extension_stage
from tests.support.model_files import write_set
from tests.support.need import root
from tests.support.ports import free_block, free_port
from tests.support.processes import Process
from tests.support.raw_http import WRITTEN, exchanged, request
from tests.support.simulated import write_bets

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}


class Stack(DeployCommand):
    """`python -m deploy` with a run folder, store and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_block()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            BENTOML_HOME=str(folder / "bentoml"),
            DATA_DIR=str(folder / "data"),
            DEPLOY_RUN_DIR=str(folder / "run"),
            DEPLOY_BASE_PORT=str(self.port),
            ALERTS_ENABLED="false",
            ACCESS_LOG="0",
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("product"))
    try:
        told = made.run("deploy", "--version", "1.0.0")
        assert "golden bets agree" in told
        yield made
    finally:
        made.environment["DEPLOY_STOP_GRACE_S"] = "5"
        made.run("stop", "--force")


def test_the_deployed_product_keeps_its_contract_under_verify(stack: Stack) -> None:
    told = stack.run("verify", "--version", "1.0.0", "--requests", "200", "--p95-ms", "60000")
    assert "✗" not in told
    stack.run("verify", "--version", "9.9.9", "--requests", "0", code=8)


def test_through_nginx_no_way_to_write_a_path_opens_what_is_for_operators_or_leads_anywhere_else(stack: Stack) -> None:
    paths = [("GET", "/metrics"), ("POST", "/api/v1/reload-models"), ("GET", "/api/v1/model-info")]
    exact = ("{0}", "{0}?", "http://evil.example{0}")
    asked = [(method, form.format(path)) for method, path in paths for form in (*exact, *WRITTEN)]
    answers = exchanged(stack.port, [request(method, path) for method, path in asked])
    for (method, path), (status, answer) in zip(asked, answers, strict=True):
        assert status in ((200, 400, 404) if "model-info" in path else (400, 403, 404)), (method, path, answer)
        assert (status == 200) == (path in [form.format("/api/v1/model-info") for form in exact])
        assert b'{"error":{"code"' in answer or status == 200, (path, answer)
        assert b"location:" not in answer.lower()
        assert b"evil.example" not in answer


def test_bets_of_requests_that_chose_their_slot_are_left_out_of_what_slots_are_compared_by(stack: Stack) -> None:
    key = "chooses-a-slot-by-hand"
    stack.run("up", DEPLOY_OVERRIDE_KEY=key)

    def graded(**headers: str) -> float:
        answer = httpx.post(f"{stack.url}/api/v1/predict", json=BET, headers=headers)
        assert answer.status_code == 200
        slots = {"blue": stack.port + 1, "green": stack.port + 2}
        text = httpx.get(f"http://127.0.0.1:{slots[answer.headers['x-served-by']]}/metrics").text
        return Sample.from_metrics(text).predictions

    before = graded()
    assert graded(**{"x-deployment-chosen": "1"}) == before + 1  # a client's word is not taken
    assert graded(**{"x-deployment-key": key, "x-deployment-target": "production"}) == before + 1
    assert graded(cookie="deployment=production", **{"x-deployment-key": key}) == before + 1
    assert graded() == before + 2


def test_a_bento_serves_the_same_answers_from_an_empty_folder_with_an_empty_store(stack: Stack, tmp_path: Path) -> None:
    assert httpx.get(f"{stack.url}/health").json()["version"] == "1.0.0"
    bets = [{**BET, "odds": odds, "placed_at": "2026-01-26T12:00:00Z"} for odds in (-110, 150, 100)]

    def answers(url: str) -> list[Any]:
        found = httpx.post(f"{url}/api/v1/batch-predict", json={"bets": bets}).json()["predictions"]
        return [{**item["prediction"], "timestamp": None} for item in found]

    def bentoml(home: Path, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "bentoml", *arguments],
            cwd=root(),
            env={**os.environ, "BENTOML_HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    bentoml(Path(stack.environment["BENTOML_HOME"]), "export", "pikkit_ml_api:1.0.0", str(tmp_path / "pikkit.bento"))
    bentoml(tmp_path / "there", "import", str(tmp_path / "pikkit.bento"))
    port = free_port()
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {
        "BENTOML_HOME": str(tmp_path / "there"),
        "DATA_DIR": str(empty / "data"),
        "PYTHONPATH": "",
        "ACCESS_LOG": "0",
    }
    serve = ["serve", "pikkit_ml_api:1.0.0", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "bentoml", *serve]
    with Process(command, log=tmp_path / "bento.log", env=environment, cwd=empty) as process:
        process.wait_until_http(f"http://127.0.0.1:{port}/ready")
        assert answers(f"http://127.0.0.1:{port}") == answers(stack.url)


def test_deploy_canary_promote_and_rollback_are_not_noticed_by_clients_nor_by_the_extension(
    stack: Stack, tmp_path: Path
) -> None:
    models = write_set(tmp_path / "models", "20260301_000000")
    with extension_stage(tmp_path, stack.url) as extension, traffic(stack.port) as tally:
        page = extension.open("rows.html")
        expect(page.locator(BADGES).nth(10)).to_be_visible()
        stack.run("deploy", "--version", "1.1.0", "--models", str(models))
        extension.use(stack.url)
        page.reload()
        expect(page.locator(BADGES).nth(10)).to_be_visible()
        assert httpx.get(f"{stack.url}/health").json()["model_timestamp"] == "20260301_000000"
        stack.run("canary", "--version", "1.2.0", "--weight", "50", "--models", str(models))
        stack.run("promote", "--force")
        assert httpx.get(f"{stack.url}/health").json()["version"] == "1.2.0"
        stack.run("rollback")
        assert httpx.get(f"{stack.url}/health").json()["version"] == "1.1.0"
        extension.use(stack.url)
        expect(page.locator(BADGES).nth(10)).to_be_visible()
        page.close()
    assert tally.failures == {}
    assert {"blue", "green", "canary"} <= set(tally.served)


def test_models_that_do_not_pass_validation_are_not_deployed(stack: Stack, tmp_path: Path) -> None:
    bets = write_bets(tmp_path / "bets.csv", 4000, 5)
    untrained = write_set(tmp_path / "models", "20260401_000000", seed=3)  # knows nothing of these bets
    before = httpx.get(f"{stack.url}/health").json()["version"]
    stack.environment["DEPLOY_VALIDATE_BETS"] = str(bets)
    try:
        told = stack.run("canary", "--version", "2.0.0", "--models", str(untrained), code=3)
    finally:
        del stack.environment["DEPLOY_VALIDATE_BETS"]
    assert "did not pass" in told
    assert "FAIL" in told
    assert httpx.get(f"{stack.url}/health").json()["version"] == before

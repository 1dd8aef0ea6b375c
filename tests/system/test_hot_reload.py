"""Hot reload in three workers under load: no failed request, no answer that mixes two sets."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.exposition import series, value
from tests.support.hostile import corpus
from tests.support.model_files import write_set
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

FILES = ("win_probability_model_latest.pkl", "roi_prediction_model_latest.pkl", "model_metadata_latest.json")
BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
TOKEN = "let-me-in-please"
WORKERS, CLIENTS = 3, 8
SWAPS = 6


class Stage:
    """A service of three workers, its model folder and two sets."""

    def __init__(self, folder: Path) -> None:
        self.sets = [write_set(folder / f"v{i}", f"v{i}", seed=i) for i in range(2)]
        self.models = folder / "models"
        self.marker = folder / "ran"
        shutil.copytree(self.sets[0], self.models)
        self.server = Server(
            folder, MODEL_DIR=self.models, WORKERS=WORKERS, RELOAD_INTERVAL=1, ADMIN_TOKEN=TOKEN, ACCESS_LOG=0
        )
        self.url = self.server.url

    def put(self, folder: Path) -> None:
        for name in FILES:
            shutil.copy2(folder / name, self.models / name)

    def health(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/health").json()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("reload"))
    try:
        yield made
    finally:
        made.server.stop()


async def _ask(http: httpx.AsyncClient, answers: list[tuple[int, Any]], ending: asyncio.Event) -> None:
    while not ending.is_set():
        answer = await http.post("/api/v1/batch-predict", json={"bets": [BET] * 20})
        answers.append((answer.status_code, answer.json()))
        await asyncio.sleep(0.2)


async def _swap(stage: Stage, answers: list[tuple[int, Any]]) -> None:
    for i in range(SWAPS):
        stage.put(stage.sets[(i + 1) % 2])
        async with httpx.AsyncClient(base_url=stage.url) as http:
            if i == 1:  # and a bad set in between
                (stage.models / FILES[0]).write_bytes(corpus(stage.marker)["os.system"])
                refused = await http.post("/api/v1/reload-models", headers={"authorization": f"Bearer {TOKEN}"})
                assert refused.status_code == 409, refused.text
                stage.put(stage.sets[(i + 1) % 2])
            done = await http.post("/api/v1/reload-models", headers={"authorization": f"Bearer {TOKEN}"})
            assert done.status_code == 200, done.text
            assert done.json()["model_version"] == f"v{(i + 1) % 2}"
        seen = len(answers)
        await asyncio.to_thread(eventually, lambda seen=seen: len(answers) >= seen + CLIENTS)


async def _under_load(stage: Stage) -> list[tuple[int, Any]]:
    answers: list[tuple[int, Any]] = []
    ending = asyncio.Event()
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=stage.url, limits=limits) as http:
        clients = [asyncio.create_task(_ask(http, answers, ending)) for _ in range(CLIENTS)]
        await _swap(stage, answers)
        ending.set()
        await asyncio.gather(*clients)
    return answers


def test_swaps_under_load_fail_no_request_and_mix_no_answer(stage: Stage) -> None:
    answers = asyncio.run(_under_load(stage))
    assert {status for status, _ in answers} == {200}
    expected: dict[str, set[float]] = {}
    for _, answer in answers:
        predictions = [item["prediction"] for item in answer["predictions"]]
        versions = {prediction["model_version"] for prediction in predictions}
        assert len(versions) == 1
        expected.setdefault(versions.pop(), set()).update(p["win_probability"] for p in predictions)
    assert set(expected) == {"v0", "v1"}
    assert all(len(probabilities) == 1 for probabilities in expected.values())
    assert expected["v0"] != expected["v1"]
    assert not stage.marker.exists()


def test_all_workers_serve_a_new_set_within_two_seconds_of_the_first(stage: Stage) -> None:
    eventually(lambda: _seconds_between_first_and_last(stage) < 2)  # any may meet a busy moment


def _seconds_between_first_and_last(stage: Stage) -> float:
    """Swap the set; how long the old one still answers after the new one first does."""
    other = {"v0": "v1", "v1": "v0"}[stage.health()["model_timestamp"]]
    stage.put(stage.sets[int(other[1])])

    def serves_other() -> bool:
        return bool(httpx.post(f"{stage.url}/api/v1/predict", json=BET).json()["model_version"] == other)

    eventually(serves_other)  # a new connection each: any of the workers
    first = last_old = time.monotonic()
    while time.monotonic() - max(last_old, first) < 2.5:
        if not serves_other():
            last_old = time.monotonic()
        time.sleep(0.02)
    return last_old - first


def test_a_bad_set_shows_in_health_and_metrics_and_once_in_the_log(stage: Stage) -> None:
    before = series(httpx.get(f"{stage.url}/metrics").content)
    failures = value(before, "pikkit_model_reload_failures_total", reason="invalid_model")
    served = stage.health()["model_timestamp"]
    (stage.models / FILES[0]).write_text("no pickle at all")
    stamp = stage.models / FILES[2]
    stamp.write_text(stamp.read_text().replace(served, "broken"))

    def refused() -> float:
        found = series(httpx.get(f"{stage.url}/metrics").content)
        return value(found, "pikkit_model_reload_failures_total", reason="invalid_model") - failures

    eventually(lambda: stage.health()["reload_error"])
    eventually(refused)  # a worker tells the others what it counted once a second
    time.sleep(2)  # others have looked, too
    health = stage.health()
    assert (health["status"], health["model_timestamp"]) == ("degraded", served)
    assert FILES[0] in health["reload_error"]
    assert refused() == 1
    lines = [line for line in stage.server.log.read_text().splitlines() if health["reload_error"] in line]
    assert len(lines) == 1, health["reload_error"]
    stage.put(stage.sets[0])
    eventually(lambda: stage.health()["status"] == "healthy")
    assert not stage.health()["reload_error"]

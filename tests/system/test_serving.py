"""The real service on the starter models: the contract, bad input, and every real bet."""

import asyncio
import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.exposition import series, value
from tests.support.server import Server
from tests.support.simulated import dirty_export
from tests.support.slow_import import jsonschema
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

BET: dict[str, Any] = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "odds": -110,
}
VOLATILE = ("timestamp",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("serve"), ACCESS_LOG=1, ADMIN_TOKEN="let-me-in-please") as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def same(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in VOLATILE}


def test_it_is_ready_and_says_what_it_serves(server: Server, http: httpx.Client) -> None:
    health = http.get("/health").json()
    assert (health["status"], health["models_loaded"], health["starter_models"]) == ("healthy", True, True)
    assert http.get("/live").json() == {"status": "alive"}
    assert http.get("/ready").json() == {"status": "ready"}
    assert "starter models" in server.log.read_text()
    metrics = series(http.get("/metrics").text)  # what was asked before the first client, nobody counts
    assert value(metrics, "pikkit_merged_requests_count") == 0


def test_get_post_batch_and_legacy_give_the_same_answer(http: httpx.Client) -> None:
    posted = http.post("/api/v1/predict", json=BET).json()
    got = http.get("/api/v1/predict", params=BET).json()
    batch = http.post("/api/v1/batch-predict", json={"bets": [BET, BET]}).json()
    legacy = http.get("/ml-predict", params={**BET, "is_live": "false", "clv_percentage": ""}).json()
    many = http.post("/batch-predict", json={"bets": [BET]}).json()
    answers = [got, batch["predictions"][0]["prediction"], batch["predictions"][1]["prediction"], legacy]
    for answer in [*answers, many["predictions"][0]]:
        assert same(answer) == same(posted)
    assert many["count"] == 1
    assert posted["timestamp"].endswith("Z")


@pytest.mark.parametrize("odds", [0, 50, 99, '"abc"', "NaN", "1e400", "null", '""', None])
def test_bad_odds_are_refused_by_name_on_every_route(http: httpx.Client, odds: object) -> None:
    fields = {name: value for name, value in BET.items() if name != "odds"}
    body = json.dumps(fields)[:-1] + (f', "odds": {odds}' if odds is not None else "") + "}"
    answer = http.post("/api/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"], error["retryable"]) == ("invalid_bet", "odds", False)
    assert "send" in error["message"]


@pytest.mark.parametrize(
    ("body", "media", "status", "field"),
    [
        (json.dumps({**BET, "sport": ""}), "application/json", 400, "sport"),
        (json.dumps({**BET, "league": "x" * 201}), "application/json", 400, "league"),
        ("{", "application/json", 400, None),
        ("", "application/json", 400, None),
        ("\x00", "application/json", 400, None),
        ("[" * 100_000, "application/json", 400, None),
        ("sport=Basketball", "application/x-www-form-urlencoded", 415, None),
        ("x" * 1_100_000, "application/json", 413, None),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/batch-predict", "/batch-predict"])
def test_a_bad_body_gets_a_clear_error(
    http: httpx.Client, path: str, body: str, media: str, status: int, field: str | None
) -> None:
    answer = http.post(path, content=body, headers={"content-type": media})
    assert answer.status_code == status, answer.text
    if path == "/api/v1/predict":
        assert answer.json()["error"]["field"] == field


@pytest.mark.parametrize("bets", [[], [BET] * 101, None, "bets", {}])
@pytest.mark.parametrize("path", ["/api/v1/batch-predict", "/batch-predict"])
def test_a_batch_has_1_to_100_bets(http: httpx.Client, path: str, bets: object) -> None:
    answer = http.post(path, json={"bets": bets})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "bets"


def test_three_bad_bets_cost_three_errors_and_leave_97_predictions(http: httpx.Client) -> None:
    bets: list[Any] = [{**BET, "odds": -110 - i} for i in range(100)]
    bets[3], bets[50], bets[99] = {**BET, "odds": 7}, "no bet", {}
    answer = http.post("/api/v1/batch-predict", json={"bets": bets}).json()
    assert [error["index"] for error in answer["errors"]] == [3, 50, 99]
    assert answer["errors"][0]["bet"] == bets[3]
    assert [item["index"] for item in answer["predictions"]] == [i for i in range(100) if i not in (3, 50, 99)]
    summary = answer["summary"]
    assert (summary["total"], summary["successful"], summary["failed"]) == (100, 97, 3)
    assert sum(summary["grade_distribution"].values()) == 97


def test_requests_that_arrive_together_are_merged_into_one_model_call(server: Server) -> None:
    async def burst() -> list[int]:
        async with httpx.AsyncClient(base_url=server.url) as http:
            bets = {"bets": [BET] * 100}
            answers = await asyncio.gather(*(http.post("/api/v1/batch-predict", json=bets) for _ in range(60)))
            return [answer.status_code for answer in answers]

    assert set(asyncio.run(burst())) == {200}
    metrics = series(httpx.get(f"{server.url}/metrics").text)
    calls, requests = value(metrics, "pikkit_merged_requests_count"), value(metrics, "pikkit_merged_requests_sum")
    assert requests >= 60
    assert calls < requests


def test_explanations_are_words_and_a_dry_run_is_answered(http: httpx.Client) -> None:
    answer = http.post("/api/v1/predict", params={"explain": "true", "dry_run": "true"}, json=BET).json()
    assert answer["reasons"]
    assert all(reason.split()[0] in ("the", "betting", "a", "an") for reason in answer["reasons"])
    assert http.post("/api/v1/predict", params={"explain": "perhaps"}, json=BET).status_code == 400


def test_unknown_fields_and_unknown_categories_are_named(http: httpx.Client) -> None:
    answer = http.post("/api/v1/predict", json={**BET, "league": "Moon League", "stake": 5}).json()
    assert any("Moon League" in warning for warning in answer["warnings"])
    assert any("stake" in warning for warning in answer["warnings"])
    assert answer["confidence"] < http.post("/api/v1/predict", json=BET).json()["confidence"]


def test_model_info_has_an_etag(http: httpx.Client) -> None:
    first = http.get("/api/v1/model-info")
    assert first.json()["feature_count"] == len(first.json()["feature_names"])
    again = http.get("/api/v1/model-info", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer wrong"}, 403), ({"authorization": "Bearer let-me-in-please"}, 200)],
)
def test_reloading_needs_the_admin_token(http: httpx.Client, headers: dict[str, str], status: int) -> None:
    assert http.post("/api/v1/reload-models", headers=headers).status_code == status


def test_every_documented_example_is_answered_as_documented(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parameters = {
                parameter["name"]: parameter["example"]
                for parameter in operation.get("parameters", ())
                if "example" in parameter
            }
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            bodies = [example["value"] for example in content.get("examples", {}).values()] or [None]
            for body in bodies:
                headers = {"authorization": "Bearer let-me-in-please"} if "reload" in path else {}
                answer = http.request(method, path, params=parameters, json=body, headers=headers)
                assert answer.status_code == 200, (path, answer.text)
                [(media, described)] = operation["responses"]["200"]["content"].items()
                assert answer.headers["content-type"].startswith(media)
                if media == "application/json":
                    schema = {**described["schema"], "components": document["components"]}
                    jsonschema().validate(answer.json(), schema)
                tried += 1
    assert tried >= 14


def test_the_log_has_one_line_per_request_with_its_id_and_no_traceback_for_bad_input(
    server: Server, http: httpx.Client
) -> None:
    http.post("/api/v1/predict", json={**BET, "odds": 7}, headers={"x-request-id": "find-me-in-the-log"})

    def found() -> list[str]:  # the line is written once the answer is on its way
        return [line for line in server.log.read_text().splitlines() if "find-me-in-the-log" in line]

    lines = eventually(found)
    assert len(lines) == 1
    assert "invalid_bet" in lines[0]
    assert "Traceback" not in server.log.read_text()


def test_every_bet_of_an_export_is_graded_or_has_an_error_that_names_the_field(
    http: httpx.Client, tmp_path: Path
) -> None:
    outcome = _graded(http, dirty_export(3000, 2).write(tmp_path / "bets.csv.gz"))
    assert outcome.total() == 3000
    assert outcome["graded"] > 2600


def test_every_real_bet_is_graded_or_has_an_error_that_names_the_field(http: httpx.Client, real_dir: Path) -> None:
    outcome = _graded(http, real_dir / "bets.csv.gz")
    assert outcome.total() == 21_767
    assert outcome["graded"] > 15_000


def _graded(http: httpx.Client, file: Path) -> Counter[str]:
    """How many bets of the file were graded, and how many refused for which field."""
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        bets = [_as_sent(row) for row in csv.DictReader(opened)]
    outcome: Counter[str] = Counter()
    for start in range(0, len(bets), 100):
        answer = http.post("/api/v1/batch-predict?dry_run=true", json={"bets": bets[start : start + 100]})
        assert answer.status_code == 200, answer.text
        content = answer.json()
        outcome["graded"] += len(content["predictions"])
        outcome.update(error["error"]["field"] for error in content["errors"])
    assert set(outcome) <= {"graded", "odds", "league", "sport", "market", "institution_name"}
    return outcome


def _as_sent(row: dict[str, str]) -> dict[str, Any]:
    """A row of the export as a client would send it: what is empty is null."""
    return {
        "sport": row["sport"] or None,
        "league": row["league"] or None,
        "market": row["market"] or None,
        "institution_name": row["institution_name"] or None,
        "bet_type": row["bet_type"] or "straight",
        "odds": float(row["american_odds"]) if row["american_odds"] else None,
        "is_live": row["is_live"].lower() == "true",
        "clv_percentage": float(row["clv_percentage"]) if row["clv_percentage"] else None,
    }


def test_a_second_start_on_a_taken_port_says_so(server: Server, tmp_path: Path) -> None:
    second = Server(tmp_path, PORT=server.port, wait=False)
    try:
        assert second.popen.wait() != 0
        assert "address" in second.log.read_text().lower()
    finally:
        second.stop()

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pikkit.alerts.message import Alert, make_alert
from pikkit.alerts.n8n_setup import SetupError, fill_workflow, push_workflow
from pikkit.alerts.receivers.n8n import SIGNATURE_HEADER, N8nWebhook
from pikkit.alerts.receivers.port import Later, Receiver, Refused
from pikkit.alerts.receivers.supabase import SupabaseTable
from pikkit.alerts.receivers.telegram import Telegram
from pikkit.settings import Settings
from tests.support.ports import free_port
from tests.support.receiver import Answer, Call, StandIn
from tests.support.samples import a_bet, a_prediction

TOKEN = "123456:very-secret-token"
ROLE = "sb_secret_very_secret_key_0123456789"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl"


def alert(**bet: Any) -> Alert:
    return make_alert(
        a_bet(**bet), a_prediction("A"), model_version="m1", environment="test", deployment="blue", now=1_769_428_800.0
    )


RECEIVERS: dict[str, Callable[[str], Receiver]] = {
    "n8n": lambda url: N8nWebhook(f"{url}/webhook/pikkit", "shared secret"),
    "telegram": lambda url: Telegram(TOKEN, "42", api=url),
    "supabase": lambda url: SupabaseTable(url, ROLE),
}


def answer(status: int, body: Any = None, **headers: str) -> Callable[[Call], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _call: (status, named, json.dumps(body if body is not None else {}).encode())


@pytest.fixture(params=sorted(RECEIVERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def send(kind: str, url: str, sent: Alert) -> None:
    receiver = RECEIVERS[kind](url)
    try:
        receiver.send(sent)
    finally:
        receiver.close()


def test_what_is_taken_is_sent_once_and_carries_the_key(kind: str) -> None:
    created = {"supabase": 201}.get(kind, 200)
    with StandIn(answer(created)) as stand_in:
        send(kind, stand_in.url, alert())
    [call] = stand_in.calls
    if kind == "telegram":
        assert call.path == f"/bot{TOKEN}/sendMessage"
        assert call.json["chat_id"] == "42"
        assert call.json["parse_mode"] == "HTML"
    else:
        assert call.json["alert_id"] == alert().alert_id


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_what_passes_is_tried_again(kind: str, status: int) -> None:
    with StandIn(answer(status)) as stand_in, pytest.raises(Later):
        send(kind, stand_in.url, alert())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_never_be_taken_is_refused_with_the_reason(kind: str, status: int) -> None:
    body = {"description": "told why", "message": "told why", "code": "42501"}
    with StandIn(answer(status, body)) as stand_in, pytest.raises(Refused, match="told why"):
        send(kind, stand_in.url, alert())


def test_nobody_listening_resets_and_a_wrong_certificate_are_tried_again(kind: str) -> None:
    with pytest.raises(Later):
        send(kind, f"http://127.0.0.1:{free_port()}", alert())
    with StandIn(lambda _call: None) as stand_in, pytest.raises(Later):
        send(kind, stand_in.url, alert())
    with StandIn() as stand_in, pytest.raises(Later):
        send(kind, stand_in.url.replace("http:", "https:"), alert())


def test_no_secret_is_in_a_reason_or_in_the_log(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Later) as caught:
        send(kind, f"http://127.0.0.1:{free_port()}", alert())
    with StandIn(answer(400, {"description": "no"})) as stand_in, pytest.raises(Refused) as refused:
        send(kind, stand_in.url, alert())
    shown = f"{caught.value.reason} {refused.value.reason} {caught.value!r}"
    for secret in ("very-secret", "very_secret", "shared secret"):
        assert secret not in shown


def test_n8n_gets_the_whole_payload_signed() -> None:
    with StandIn() as stand_in:
        send("n8n", stand_in.url, alert(market="A & B <1.5 🏀"))
    [call] = stand_in.calls
    assert call.headers["idempotency-key"] == call.json["alert_id"]
    expected = hmac.new(b"shared secret", call.body, hashlib.sha256).hexdigest()
    assert call.headers[SIGNATURE_HEADER.lower()] == expected
    assert set(call.json) == {
        "type", "alert_id", "grade", "bet", "prediction", "environment", "deployment", "model_version", "timestamp",
    }  # fmt: skip
    assert call.json["type"] == "high_grade_bet"
    assert call.json["bet"]["market"] == "A & B <1.5 🏀"


def test_telegram_says_how_long_to_wait() -> None:
    told = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 17}}
    with StandIn(answer(429, told)) as stand_in, pytest.raises(Later) as caught:
        send("telegram", stand_in.url, alert())
    assert caught.value.after_s == 17


def test_a_retry_after_header_is_honoured() -> None:
    with StandIn(answer(429, {}, retry_after="9")) as stand_in, pytest.raises(Later) as caught:
        send("n8n", stand_in.url, alert())
    assert caught.value.after_s == 9


@pytest.mark.parametrize("key", [ROLE, JWT])
def test_supabase_takes_both_styles_of_key_and_ignores_what_it_has(key: str) -> None:
    with StandIn(answer(201)) as stand_in:
        receiver = SupabaseTable(stand_in.url, key)
        receiver.send(alert())
        receiver.send(alert())
        receiver.close()
    for call in stand_in.calls:
        assert call.method == "POST"
        assert call.path.startswith("/rest/v1/ml_alerts?")
        assert "on_conflict=alert_id" in call.path
        assert "resolution=ignore-duplicates" in call.headers["prefer"]
        assert call.headers["apikey"] == key


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"code": "PGRST205", "message": "Could not find the table 'public.ml_alerts' in the schema cache"}),
        (403, {"code": "42501", "message": "new row violates row-level security policy for table ml_alerts"}),
        (401, {"code": "PGRST301", "message": "JWT expired"}),
    ],
)
def test_supabase_refusals_are_parked_with_postgrests_words(status: int, body: dict[str, str]) -> None:
    with StandIn(answer(status, body)) as stand_in, pytest.raises(Refused, match=body["code"]):
        send("supabase", stand_in.url, alert())


@pytest.mark.parametrize("code", ["53300", "57014", "PGRST000", "PGRST002"])
def test_a_database_that_is_away_or_full_is_tried_again(code: str) -> None:
    with StandIn(answer(503, {"code": code, "message": "later"})) as stand_in, pytest.raises(Later):
        send("supabase", stand_in.url, alert())


SETTINGS: dict[str, Any] = {
    "n8n_webhook_secret": 'with "quotes"',
    "telegram_chat_id": "-100200",
    "telegram_bot_token": TOKEN,
    "supabase_url": "https://project.example",
    "supabase_service_key": ROLE,
    "n8n_base_url": "https://n8n.example",
    "n8n_api_key": "key-of-n8n",
}


def test_the_workflow_is_filled_with_the_users_values() -> None:
    workflow = fill_workflow(Settings(_env_file=None, **SETTINGS))
    text = json.dumps(workflow)
    assert "__" not in text.replace("__rl", "")
    [crypto] = [node for node in workflow["nodes"] if node["type"].endswith(".crypto")]
    assert crypto["parameters"]["secret"] == 'with "quotes"'
    assert TOKEN not in text
    assert ROLE not in text
    names = {node["name"] for node in workflow["nodes"]}
    for source, outputs in workflow["connections"].items():
        assert source in names
        assert all(link["node"] in names for output in outputs["main"] for link in output)


def test_without_values_it_says_which() -> None:
    with pytest.raises(SetupError, match="N8N_WEBHOOK_SECRET, TELEGRAM_CHAT_ID, SUPABASE_URL"):
        fill_workflow(Settings(_env_file=None))


def test_setting_up_n8n_twice_makes_one_active_workflow_and_one_pair_of_credentials() -> None:
    workflows: dict[str, dict[str, Any]] = {}
    credentials: list[dict[str, Any]] = []

    def n8n(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-n8n-api-key"] == "key-of-n8n"
        path, body = request.url.path.removeprefix("/api/v1"), json.loads(request.content or b"null")
        match request.method, path.strip("/").split("/"):
            case "GET", ["workflows"]:
                return httpx.Response(200, json={"data": list(workflows.values()), "nextCursor": None})
            case "POST", ["credentials"]:
                credentials.append(body)
                return httpx.Response(200, json={"id": f"c{len(credentials)}", "name": body["name"]})
            case "POST", ["workflows"]:
                workflows["w1"] = {**body, "id": "w1", "active": False}
                return httpx.Response(200, json=workflows["w1"])
            case "PUT", ["workflows", identifier]:
                workflows[identifier] = {**workflows[identifier], **body}
                return httpx.Response(200, json=workflows[identifier])
            case "POST", ["workflows", identifier, "activate"]:
                workflows[identifier]["active"] = True
                return httpx.Response(200, json=workflows[identifier])
        return httpx.Response(405, json={"message": "unexpected"})

    settings = Settings(_env_file=None, **SETTINGS)
    transport = httpx.MockTransport(n8n)
    assert "created" in push_workflow(settings, fill_workflow(settings), transport)
    assert "updated" in push_workflow(settings, fill_workflow(settings), transport)
    [made] = workflows.values()
    assert made["active"]
    assert [one["type"] for one in credentials] == ["telegramApi", "supabaseApi"]
    used = {json.dumps(node["credentials"]) for node in made["nodes"] if "credentials" in node}
    assert all('"c1"' in one or '"c2"' in one for one in used)


def test_what_n8n_refuses_is_said_without_the_key() -> None:
    settings = Settings(_env_file=None, **SETTINGS)
    transport = httpx.MockTransport(lambda _request: httpx.Response(401, json={"message": "unauthorized"}))
    with pytest.raises(SetupError, match="401") as caught:
        push_workflow(settings, fill_workflow(settings), transport)
    assert "key-of-n8n" not in str(caught.value)

"""The workflow in a real n8n, with stand-ins for Telegram and Supabase."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pikkit.alerts.message import Alert
from pikkit.alerts.n8n_setup import fill_workflow
from pikkit.alerts.receivers.n8n import N8nWebhook
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.settings import Settings
from tests.support.alerts import an_alert
from tests.support.n8n import N8n, n8n_binary
from tests.support.receiver import Answer, Call, StandIn

pytestmark = [pytest.mark.system, pytest.mark.n8n]

SECRET = 'shared "secret" of both'


class Backends:
    """Telegram and a PostgREST that keeps rows by alert_id."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.telegram_status = 200
        self.telegram = StandIn(self._telegram)
        self.supabase = StandIn(self._supabase)

    def _telegram(self, _call: Call) -> Answer:
        if self.telegram_status == 200:
            return 200, {}, json.dumps({"ok": True, "result": {"message_id": 7, "text": "…"}}).encode()
        told = {"ok": False, "error_code": self.telegram_status, "description": "told why"}
        return self.telegram_status, {}, json.dumps(told).encode()

    def _supabase(self, call: Call) -> Answer:
        if call.method == "POST":
            row = self.rows.setdefault(call.json["alert_id"], {"notified_at": None})
            row.update(call.json)
            return 201, {}, json.dumps([row]).encode()
        identifier = call.path.split("alert_id=eq.")[1]
        self.rows[identifier].update(call.json)
        return 204, {}, b""


@pytest.fixture(scope="module")
def backends() -> Iterator[Backends]:
    n8n_binary()  # before anything is started
    made = Backends()
    with made.telegram, made.supabase:
        yield made


@pytest.fixture(scope="module")
def n8n(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    settings = Settings(
        _env_file=None,
        n8n_webhook_secret=SECRET,
        telegram_chat_id="-100200",
        supabase_url=backends.supabase.url,
    )
    folder: Path = tmp_path_factory.mktemp("n8n")
    credentials = [
        {
            "id": "pikkitTelegram01",
            "name": "Pikkit Telegram",
            "type": "telegramApi",
            "data": {"accessToken": "123:abc", "baseUrl": backends.telegram.url},
        },
        {
            "id": "pikkitSupabase01",
            "name": "Pikkit Supabase",
            "type": "supabaseApi",
            "data": {"host": backends.supabase.url, "serviceRole": "sb_secret_x"},
        },
    ]
    running = N8n(folder, fill_workflow(settings), credentials)
    try:
        _wait_for_webhook(running)
        yield running
    finally:
        running.stop()


def _wait_for_webhook(n8n: N8n) -> None:
    """Webhooks come a few seconds after /healthz; an unsigned call is refused without a trace."""
    for _ in range(120):
        status = httpx.post(f"{n8n.url}/webhook/pikkit-high-grade-bet", json={}, timeout=10).status_code
        if status == 401:
            return
        time.sleep(0.5)
    raise AssertionError(f"the webhook did not come up (last status {status}):\n{n8n.tail()}")


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> None:
    made: Backends = request.getfixturevalue("backends")
    request.getfixturevalue("n8n")
    made.rows.clear()
    made.telegram.calls.clear()
    made.supabase.calls.clear()
    made.telegram_status = 200


def alert(grade: Any = "A", market: str = "A & B <1.5 🏀") -> Alert:
    return an_alert(grade, market=market)


def send(n8n: N8n, sent: Alert, secret: str | None = SECRET) -> None:
    receiver = N8nWebhook(f"{n8n.url}/webhook/pikkit-high-grade-bet", secret)
    try:
        receiver.send(sent)
    finally:
        receiver.close()


@pytest.mark.parametrize("grade", ["A", "B"])
def test_an_alert_is_shown_once_with_its_grades_own_message_and_stored(
    n8n: N8n, backends: Backends, grade: str
) -> None:
    sent = alert(grade)
    send(n8n, sent)
    [message] = backends.telegram.calls
    assert message.path == "/bot123:abc/sendMessage"
    assert f"Grade {grade} bet" in message.json["text"]
    assert "A &amp; B &lt;1.5 🏀" in message.json["text"]
    assert message.json["chat_id"] == "-100200"
    assert message.json["parse_mode"] == "HTML"
    [row] = backends.rows.values()
    assert row["alert_id"] == sent.alert_id
    assert row["bet"]["market"] == "A & B <1.5 🏀"
    assert row["notified_at"]
    assert [call.method for call in backends.supabase.calls] == ["POST", "PATCH"]


def test_the_same_alert_again_is_not_shown_again(n8n: N8n, backends: Backends) -> None:
    for _ in range(3):
        send(n8n, alert())
    assert len(backends.telegram.calls) == 1
    assert len(backends.rows) == 1


def test_a_failing_telegram_is_answered_so_that_it_is_sent_again_and_then_shown_once(
    n8n: N8n, backends: Backends
) -> None:
    backends.telegram_status = 500
    with pytest.raises(Later):
        send(n8n, alert())
    backends.telegram_status = 200
    backends.telegram.calls.clear()
    send(n8n, alert())
    send(n8n, alert())
    assert len(backends.telegram.calls) == 1


@pytest.mark.parametrize("secret", [None, "another secret"])
def test_a_missing_or_wrong_signature_is_refused(n8n: N8n, backends: Backends, secret: str | None) -> None:
    with pytest.raises(Refused, match="401"):
        send(n8n, alert(), secret)
    assert not backends.telegram.calls
    assert not backends.supabase.calls


def test_another_grade_is_refused(n8n: N8n, backends: Backends) -> None:
    with pytest.raises(Refused, match="422"):
        send(n8n, alert("C"))
    assert not backends.telegram.calls

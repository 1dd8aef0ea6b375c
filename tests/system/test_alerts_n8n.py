"""The workflow in a real n8n, with stand-ins for Telegram and Supabase."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.clock import SystemClock
from pikkit.alerts.delivery import Courier, Patience
from pikkit.alerts.message import Alert
from pikkit.alerts.n8n_setup import SetupError, fill_workflow, push_workflow
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.receivers.n8n import N8nWebhook
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.settings import Settings
from tests.support.alerts import an_alert, seen_around_midnight, sighting
from tests.support.n8n import N8n, n8n_command
from tests.support.receiver import Answer, Call, StandIn
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.system, pytest.mark.n8n]

SECRET = 'shared "secret" of both'
PATH = "pikkit-high-grade-bet"


class Backends:
    """Telegram, and a PostgREST that keeps rows by alert_id."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.telegram_says: tuple[int, dict[str, Any]] | None = None
        self.supabase_says: tuple[int, dict[str, Any]] | None = None
        self.takes_s = 0.0
        self._lock = threading.Lock()
        self.telegram = StandIn(self._telegram)
        self.supabase = StandIn(self._supabase)

    def reset(self) -> None:
        self.rows.clear()
        self.telegram.calls.clear()
        self.supabase.calls.clear()
        self.telegram_says = self.supabase_says = None
        self.takes_s = 0.0

    @property
    def shown(self) -> Counter[str]:
        return Counter(call.json["text"] for call in self.telegram.calls)

    def _telegram(self, _call: Call) -> Answer:
        time.sleep(self.takes_s)
        status, body = self.telegram_says or (200, {"ok": True, "result": {"message_id": 7, "text": "…"}})
        return status, {}, json.dumps(body).encode()

    def _supabase(self, call: Call) -> Answer:
        if self.supabase_says:
            status, body = self.supabase_says
            return status, {"retry-after": "33"}, json.dumps(body).encode()
        with self._lock:
            if call.method == "POST":
                fresh = call.json["alert_id"] not in self.rows
                row = self.rows.setdefault(call.json["alert_id"], {"notified_at": None, **call.json})
                return 201, {}, json.dumps([row] if fresh else []).encode()
            query = httpx.QueryParams(call.path.partition("?")[2])
            if "identity" in query:
                return 200, {}, json.dumps(self._others(query)).encode()
            row = self.rows.get(query["alert_id"].removeprefix("eq."), {})
            if call.method == "GET":
                return 200, {}, json.dumps([{"notified_at": row["notified_at"]}] if row else []).encode()
            now = query.get("or", "").rpartition("lt.")[2].rstrip(")")
            held = bool(now and row) and row["lease_until"] >= now
            if not row or held or (row["notified_at"] and "notified_at" in query):
                return 200, {}, b"[]"
            row.update(call.json)
            return 200, {}, json.dumps([row]).encode()

    def _others(self, query: httpx.QueryParams) -> list[dict[str, Any]]:
        """Rows of the same bet under another key, shown or held."""
        since = query["created_at"].removeprefix("gt.")
        now = query["or"].rpartition("lease_until.gt.")[2].rstrip(")")
        return [
            {"notified_at": row["notified_at"]}
            for row in self.rows.values()
            if f"eq.{row['identity']}" == query["identity"]
            and f"eq.{row['step']}" == query["step"]
            and f"neq.{row['alert_id']}" != query["alert_id"]
            and row["created_at"] > since
            and (row["notified_at"] or row["lease_until"] > now)
        ][:1]


def settings(backends: Backends, **more: Any) -> Settings:
    return Settings(
        _env_file=None,
        n8n_webhook_secret=SECRET,
        telegram_chat_id="-100200",
        telegram_bot_token="123:abc",
        telegram_api_url=backends.telegram.url,
        supabase_url=backends.supabase.url,
        supabase_service_key="sb_secret_x",
        **more,
    )


@pytest.fixture(scope="module")
def backends() -> Iterator[Backends]:
    n8n_command()  # before anything is started
    made = Backends()
    with made.telegram, made.supabase:
        yield made


@pytest.fixture(scope="module")
def n8n(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8n]:
    """Set up by our own command, as a user does."""
    running = N8n(tmp_path_factory.mktemp("n8n"))
    try:
        running.start()
        running.key = running.api_key()
        mine = settings(backends, n8n_base_url=running.url, n8n_api_key=running.key)
        said = push_workflow(mine, fill_workflow(mine))
        assert "is created and active; credentials: Pikkit Telegram created, Pikkit Supabase created" in said
        running.wait_for_webhook(PATH)
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def clean(backends: Backends, n8n: N8n, monkeypatch: pytest.MonkeyPatch) -> None:
    assert n8n.url
    monkeypatch.setattr("pikkit.alerts.receivers.deadline.TIMEOUT_S", PATIENCE_S)
    backends.reset()


def alert(grade: Any = "A", market: str = "A & B <1.5 🏀", **bet: Any) -> Alert:
    return an_alert(grade, market=market, **bet)


def send(n8n: N8n, sent: Alert, secret: str | None = SECRET) -> None:
    with closing(N8nWebhook(f"{n8n.url}/webhook/{PATH}", secret)) as receiver:
        receiver.send(sent)


@pytest.mark.parametrize("grade", ["A", "B"])
def test_an_alert_is_shown_as_telegram_gets_it_directly_and_stored_with_all_of_it(
    n8n: N8n, backends: Backends, grade: str
) -> None:
    sent = alert(grade, institution_name="😀" * 199, url="https://a.example/x")
    send(n8n, sent)
    [message] = backends.telegram.calls
    assert message.path == "/bot123:abc/sendMessage"
    assert message.json["text"] == sent.payload["message"]
    assert message.json["chat_id"] == "-100200"
    assert message.json["parse_mode"] == "HTML"
    [row] = backends.rows.values()
    told = {name: row[name] for name in ("alert_id", "grade", "event", "selection", "line", "odds", "url", "play_to")}
    bet = sent.payload["bet"]
    assert told == {
        "alert_id": sent.alert_id,
        "grade": grade,
        **{name: bet[name] for name in ("event", "selection", "line", "odds", "url")},
        "play_to": sent.payload["play_to"],
    }
    assert row["message"] == sent.payload["message"]
    assert row["bet"]["institution_name"] == "😀" * 199
    assert row["notified_at"]


def test_the_same_alert_again_is_not_shown_again(n8n: N8n, backends: Backends) -> None:
    for _ in range(3):
        send(n8n, alert())
    assert len(backends.telegram.calls) == 1


def test_the_same_alert_five_times_in_parallel_is_shown_once(n8n: N8n, backends: Backends) -> None:
    backends.takes_s = 0.5

    def once(_number: int) -> str:
        try:
            send(n8n, alert())
        except Later as reason:
            return reason.reason[:3]
        return "200"

    with ThreadPoolExecutor(5) as pool:
        answers = Counter(pool.map(once, range(5)))
    assert len(backends.telegram.calls) == 1
    assert answers["200"] >= 1
    assert set(answers) <= {"200", "425"}


def test_hosts_that_see_a_bet_on_both_sides_of_midnight_show_it_once(
    n8n: N8n, backends: Backends, tmp_path: Path
) -> None:
    first, second, improved = seen_around_midnight(tmp_path)
    for sent in (first, second, first, improved):
        send(n8n, sent)
    assert [call.json["alert_id"] for call in backends.supabase.calls if call.method == "POST"] == [
        first.alert_id,
        first.alert_id,
        improved.alert_id,
    ]
    assert len(backends.telegram.calls) == 2
    backends.rows[first.alert_id].update(notified_at=None, lease_until="9999")
    with pytest.raises(Later, match="425"):
        send(n8n, second)
    backends.rows[first.alert_id].update(lease_until="")
    send(n8n, second)
    assert len(backends.telegram.calls) == 3


@pytest.mark.parametrize(
    ("status", "description", "outcome", "wait"),
    [
        (403, "Forbidden: bot was blocked by the user", Refused, None),
        (400, "Bad Request: chat not found", Refused, None),
        (401, "Unauthorized", Refused, None),
        (429, "Too Many Requests: retry after 17", Later, 17),
        (500, "Internal Server Error", Later, None),
    ],
)
def test_telegrams_true_cause_comes_back_and_it_can_be_sent_again(
    n8n: N8n, backends: Backends, status: int, description: str, outcome: type[Exception], wait: float | None
) -> None:
    backends.telegram_says = (status, {"ok": False, "error_code": status, "description": description})
    with pytest.raises(outcome) as caught:
        send(n8n, alert())
    if wait:
        assert isinstance(caught.value, Later)
        assert caught.value.after_s == wait
        assert caught.value.everybody
    backends.telegram_says = None
    backends.telegram.calls.clear()

    def taken() -> bool:  # the claim is given back right after the answer
        try:
            send(n8n, alert())
        except Later:
            return False
        return True

    eventually(taken)
    send(n8n, alert())
    assert len(backends.telegram.calls) == 1


@pytest.mark.parametrize(
    ("status", "outcome", "said"),
    [(404, Refused, "422"), (401, Refused, "422"), (429, Later, "429"), (503, Later, "502")],
)
def test_supabases_true_cause_comes_back(
    n8n: N8n, backends: Backends, status: int, outcome: type[Exception], said: str
) -> None:
    backends.supabase_says = (status, {"code": "PGRST205", "message": "told why"})
    with pytest.raises(outcome, match=f"{said}.*told why"):
        send(n8n, alert())
    assert not backends.telegram.calls


@pytest.mark.parametrize("secret", [None, "another secret"])
def test_a_missing_or_wrong_signature_is_refused(n8n: N8n, backends: Backends, secret: str | None) -> None:
    with pytest.raises(Refused, match="401"):
        send(n8n, alert(), secret)
    assert not backends.telegram.calls
    assert not backends.supabase.calls


def test_another_grade_is_refused_and_not_stored(n8n: N8n, backends: Backends) -> None:
    with pytest.raises(Refused, match="422"):
        send(n8n, alert("C"))
    assert not backends.supabase.calls


def test_set_up_again_it_renews_what_was_rotated_and_says_what_is_archived(n8n: N8n, backends: Backends) -> None:
    rotated = settings(backends, n8n_base_url=n8n.url, n8n_api_key=n8n.key).model_copy(
        update={"telegram_bot_token": Settings(_env_file=None, telegram_bot_token="456:new").telegram_bot_token}
    )
    said = push_workflow(rotated, fill_workflow(rotated))
    assert "is updated and active; credentials: Pikkit Telegram updated, Pikkit Supabase updated" in said
    n8n.wait_for_webhook(PATH)
    send(n8n, alert())
    assert backends.telegram.calls[0].path == "/bot456:new/sendMessage"
    other = {**fill_workflow(rotated), "name": "To be archived"}
    other["nodes"] = [
        {**node, "webhookId": "other", "parameters": {**node["parameters"], "path": "other"}}
        if "webhookId" in node
        else node
        for node in other["nodes"]
    ]
    identifier = push_workflow(rotated, other).partition("(")[2].partition(")")[0]
    httpx.post(
        f"{n8n.url}/api/v1/workflows/{identifier}/archive", headers={"X-N8N-API-KEY": n8n.key}
    ).raise_for_status()
    with pytest.raises(SetupError, match="archived"):
        push_workflow(rotated, other)


@pytest.mark.parametrize("end", [N8n.stop, N8n.kill] if "PIKKIT_ALERTS" in os.environ else [N8n.stop])
def test_a_restart_under_load_loses_nothing_and_doubles_nothing(
    n8n: N8n, backends: Backends, tmp_path: Path, end: Callable[[N8n], None]
) -> None:
    """The receiver is restarted in the midst; what was under way is sent again, by the same key."""
    clock = SystemClock()
    outbox = Outbox(tmp_path, clock)
    count = int(os.environ.get("PIKKIT_ALERTS", "30"))  # the acceptance run has 300
    courier = Courier(outbox, N8nWebhook(f"{n8n.url}/webhook/{PATH}", SECRET), None, clock, patience=Patience(1e6, 1e6))
    admission = Admission(outbox, Limits(per_hour=0))
    admission.admit([sighting(clock, event=f"game {i}", starts_at=None) for i in range(count)])

    def restart() -> None:
        eventually(lambda: len(backends.telegram.calls) > count / 5)
        end(n8n)
        n8n.start()

    restarted = threading.Thread(target=restart)
    restarted.start()
    try:
        while outbox.figures().depth:
            if not courier.run_once():
                time.sleep(0.05)
        restarted.join()
    finally:
        courier.close()
    assert outbox.figures().depth == 0
    assert outbox.figures().parked == 0
    shown = Counter(text.partition("game ")[2].partition("<")[0] for text in backends.shown.elements())
    assert len(shown) == count
    assert set(shown.values()) == {1}

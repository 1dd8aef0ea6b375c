import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.n8n import SIGNATURE_HEADER, N8nWebhook
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.alerts.receivers.supabase import SupabaseTable
from pikkit.alerts.receivers.telegram import Telegram
from tests.support.alerts import an_alert
from tests.support.ports import free_port
from tests.support.receiver import Answer, Call, StandIn, dripping

TOKEN = "123456:very-secret-token"
ROLE = "sb_secret_very_secret_key_0123456789"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl"


Send = Callable[[str, Alert], None]


def by_n8n(url: str, sent: Alert) -> None:
    with closing(N8nWebhook(f"{url}/webhook/pikkit", "shared secret")) as receiver:
        receiver.send(sent)


def by_telegram(url: str, sent: Alert) -> None:
    with closing(Telegram(TOKEN, "42", api=url)) as receiver:
        receiver.send(sent)


def into_supabase(url: str, sent: Alert) -> None:
    with closing(SupabaseTable(url, ROLE)) as table:
        table.finished(sent)


WAYS: dict[str, Send] = {"n8n": by_n8n, "telegram": by_telegram, "supabase": into_supabase}
TAKEN = {"n8n": (200, {}), "telegram": (200, {"ok": True, "result": {}}), "supabase": (201, [{}])}


def answer(status: int, body: Any = None, **headers: str) -> Callable[[Call], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _call: (status, named, json.dumps(body if body is not None else {}).encode())


@pytest.fixture(params=sorted(WAYS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_taken_is_sent_once_and_carries_the_key(kind: str) -> None:
    with StandIn(answer(*TAKEN[kind])) as stand_in:
        WAYS[kind](stand_in.url, an_alert())
    [call] = stand_in.calls
    if kind == "telegram":
        assert call.path == f"/bot{TOKEN}/sendMessage"
        assert call.json["chat_id"] == "42"
        assert call.json["parse_mode"] == "HTML"
        assert call.json["text"] == an_alert().payload["message"]
    else:
        assert call.json["alert_id"] == an_alert().alert_id
        assert call.json["message"] == an_alert().payload["message"]


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_what_passes_is_tried_again_and_holds_no_other_alert(kind: str, status: int) -> None:
    with StandIn(answer(status)) as stand_in, pytest.raises(Later) as caught:
        WAYS[kind](stand_in.url, an_alert())
    assert not caught.value.everybody


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_wants_no_more_for_now_pauses_its_channel(kind: str, status: int) -> None:
    with StandIn(answer(status)) as stand_in, pytest.raises(Later) as caught:
        WAYS[kind](stand_in.url, an_alert())
    assert caught.value.everybody


@pytest.mark.parametrize("status", [400, 401, 403, 405, 422])
def test_what_will_never_be_taken_is_refused_with_the_reason(kind: str, status: int) -> None:
    body = {"description": "told why", "message": "told why", "code": "42501"}
    with StandIn(answer(status, body)) as stand_in, pytest.raises(Refused, match="told why"):
        WAYS[kind](stand_in.url, an_alert())


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_receivers_words_stay_on_one_line_without_commands_to_a_terminal(kind: str, status: int) -> None:
    words = "told\x1b[2J why\r\nforged\u2028line \u202eand more"
    body = dict.fromkeys(("description", "message"), words)
    with (
        StandIn(answer(status, body) if kind != "n8n" else lambda _call: (status, {}, words.encode())) as stand_in,
        pytest.raises((Refused, Later)) as caught,
    ):
        WAYS[kind](stand_in.url, an_alert())
    assert str(caught.value).endswith("told [2J why forged line and more")


def test_an_answer_is_unpacked_and_one_that_unpacks_without_end_is_given_up(kind: str) -> None:
    status, body = TAKEN[kind]
    packed = gzip.compress(json.dumps(body).encode())
    with StandIn(lambda _call: (status, {"content-encoding": "gzip"}, packed)) as stand_in:
        WAYS[kind](stand_in.url, an_alert())
    packed = gzip.compress(json.dumps(body).encode() + b" " * 2**21)
    with StandIn(lambda _call: (status, {"content-encoding": "gzip"}, packed)) as stand_in, pytest.raises(Later):
        WAYS[kind](stand_in.url, an_alert())


def test_what_is_not_found_is_refused_but_by_n8n_which_answers_so_while_it_starts(kind: str) -> None:
    with (
        StandIn(answer(404, {"message": "not registered"})) as stand_in,
        pytest.raises(Later if kind == "n8n" else Refused, match="404"),
    ):
        WAYS[kind](stand_in.url, an_alert())


@pytest.mark.parametrize("status", [301, 308])
def test_what_has_moved_for_good_is_refused_and_not_followed(kind: str, status: int) -> None:
    with StandIn(answer(status, location="http://127.0.0.1:9/")) as stand_in, pytest.raises(Refused, match="moved"):
        WAYS[kind](stand_in.url, an_alert())
    assert len(stand_in.calls) == 1


@pytest.mark.parametrize("kind_of_page", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_login_page_with_200_is_no_delivery(kind: str, kind_of_page: str) -> None:
    page = b"<!doctype html><title>Sign in</title>"
    with (
        StandIn(lambda _call: (200, {"content-type": kind_of_page}, page)) as stand_in,
        pytest.raises(Refused),
    ):
        WAYS[kind](stand_in.url, an_alert())


def test_nobody_listening_resets_and_a_wrong_certificate_pause_the_channel(kind: str) -> None:
    with pytest.raises(Later) as caught:
        WAYS[kind](f"http://127.0.0.1:{free_port()}", an_alert())
    assert caught.value.everybody
    with StandIn(lambda _call: None) as stand_in, pytest.raises(Later) as caught:
        WAYS[kind](stand_in.url, an_alert())
    assert caught.value.everybody
    with StandIn() as stand_in, pytest.raises(Later) as caught:
        WAYS[kind](stand_in.url.replace("http:", "https:"), an_alert())
    assert caught.value.everybody


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"]
)
def test_a_receiver_that_drips_bytes_is_given_up_at_the_deadline(
    kind: str, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pikkit.alerts.receivers.deadline.TIMEOUT_S", 0.6)
    with dripping(begin) as url, pytest.raises(Later) as caught:  # else it would drip without end
        WAYS[kind](url, an_alert())
    assert not caught.value.everybody  # the time of this alert is over, others may pass


def test_no_secret_is_in_a_reason_or_in_the_log(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Later) as caught:
        WAYS[kind](f"http://127.0.0.1:{free_port()}", an_alert())
    with StandIn(answer(400, {"description": "no"})) as stand_in, pytest.raises(Refused) as refused:
        WAYS[kind](stand_in.url, an_alert())
    shown = f"{caught.value.reason} {refused.value.reason} {caught.value!r}"
    for secret in ("very-secret", "very_secret", "shared secret"):
        assert secret not in shown


def test_n8n_gets_the_whole_payload_signed() -> None:
    with StandIn() as stand_in:
        by_n8n(stand_in.url, an_alert(market="A & B <1.5 🏀"))
    [call] = stand_in.calls
    assert call.headers["idempotency-key"] == call.json["alert_id"]
    expected = hmac.new(b"shared secret", call.body, hashlib.sha256).hexdigest()
    assert call.headers[SIGNATURE_HEADER.lower()] == expected
    assert set(call.json) == {
        "type", "alert_id", "grade", "bet", "prediction", "environment", "deployment", "model_version", "timestamp",
        "seen_at", "identity", "step", "message", "play_to",
    }  # fmt: skip
    assert call.json["type"] == "high_grade_bet"
    assert call.json["bet"]["market"] == "A & B <1.5 🏀"


@pytest.mark.parametrize(("said", "waits"), [(17, 17), (10**9, 600), (0.5, 0.5), (-3, None), ("soon", None)])
def test_telegram_says_how_long_to_wait_within_reason(said: Any, waits: float | None) -> None:
    told = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": said}}
    with StandIn(answer(429, told)) as stand_in, pytest.raises(Later) as caught:
        by_telegram(stand_in.url, an_alert())
    assert caught.value.after_s == waits


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("9", 9),
        ("nan", None),
        ("inf", 600),
        ("1000000000", 600),
        ("-5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 600),
        ("later", None),
    ],
)
def test_a_retry_after_header_is_honoured_within_reason(header: str, waits: float | None) -> None:
    with StandIn(answer(429, {}, retry_after=header)) as stand_in, pytest.raises(Later) as caught:
        by_n8n(stand_in.url, an_alert())
    assert caught.value.after_s == waits


def test_a_group_that_moved_is_followed_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    moved = {"ok": False, "error_code": 400, "description": "upgraded", "parameters": {"migrate_to_chat_id": -100777}}

    def telegram(call: Call) -> Answer:
        status, body = (400, moved) if call.json["chat_id"] == "42" else (200, {"ok": True})
        return status, {}, json.dumps(body).encode()

    with StandIn(telegram) as stand_in, closing(Telegram(TOKEN, "42", api=stand_in.url)) as receiver:
        receiver.send(an_alert())
        receiver.send(an_alert())
    assert [call.json["chat_id"] for call in stand_in.calls] == ["42", "-100777", "-100777"]
    assert "TELEGRAM_CHAT_ID=-100777" in capsys.readouterr().out


def test_a_group_that_moves_in_circles_is_refused() -> None:
    moved = {"ok": False, "parameters": {"migrate_to_chat_id": -100777}}
    with StandIn(answer(400, moved)) as stand_in, pytest.raises(Refused, match="circles"):
        by_telegram(stand_in.url, an_alert())


def test_an_answer_that_is_not_telegrams_is_no_delivery() -> None:
    with StandIn(answer(200, {"status": "ok"})) as stand_in, pytest.raises(Refused, match="TELEGRAM_API_URL"):
        by_telegram(stand_in.url, an_alert())


@pytest.mark.parametrize("key", [ROLE, JWT])
def test_supabase_takes_both_styles_of_key(key: str) -> None:
    with StandIn(answer(201, [{}])) as stand_in, closing(SupabaseTable(stand_in.url, key, schema="betting")) as table:
        table.finished(an_alert())
    [call] = stand_in.calls
    assert call.path.startswith("/rest/v1/ml_alerts?")
    assert call.headers["apikey"] == key
    assert call.headers["content-profile"] == "betting"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"code": "PGRST205", "message": "Could not find the table 'public.ml_alerts' in the schema cache"}),
        (400, {"code": "PGRST204", "message": "Could not find the 'step' column of 'ml_alerts' in the schema cache"}),
        (403, {"code": "42501", "message": "new row violates row-level security policy for table ml_alerts"}),
        (401, {"code": "PGRST301", "message": "JWT expired"}),
    ],
)
def test_supabase_refusals_are_parked_with_postgrests_words(status: int, body: dict[str, str]) -> None:
    with StandIn(answer(status, body)) as stand_in, pytest.raises(Refused, match=body["code"]):
        into_supabase(stand_in.url, an_alert())


@pytest.mark.parametrize("code", ["53300", "57014", "PGRST000", "PGRST002"])
def test_a_database_that_is_away_or_full_is_tried_again(code: str) -> None:
    with StandIn(answer(503, {"code": code, "message": "later"})) as stand_in, pytest.raises(Later):
        into_supabase(stand_in.url, an_alert())

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pikkit.errors import InvalidRequest
from pikkit.web.gateway import MAX_BODY
from tests.support.exposition import series, value
from tests.support.web import ORIGIN, Web, busy

BET = {"sport": "Tennis"}


def check_shape(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "field", "request_id", "retryable"}
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def answering(response: Response) -> Callable[[ASGIApp], ASGIApp]:
    """Layers that answer themselves, as a middleware of the user does."""
    return lambda _app: response


def raising(error: Exception) -> Callable[[object], None]:
    def told(_: object) -> None:
        raise error

    return told


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("PUT", "/api/v1/predict", {}, 405, "method_not_allowed"),
        ("GET", "/batch-predict", {}, 405, "method_not_allowed"),
        ("TRACE", "/health", {}, 405, "method_not_allowed"),
        ("OPTIONS", "/metrics", {}, 405, "method_not_allowed"),
        ("POST", "/api/v1/predict", {"data": {"a": "b"}}, 415, "unsupported_media_type"),
        ("POST", "/api/v1/predict", {"content": b"x" * (MAX_BODY + 1)}, 413, "body_too_large"),
        ("POST", "/api/v1/predict", {"content": b"{"}, 400, "invalid_request"),
    ],
)
def test_every_error_has_one_shape_and_cors_headers(
    method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    assert check_shape(Web().send(method, path, **more), status, code)["retryable"] is False


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (InvalidRequest("7 is not a word: send text", field="word"), 400, "invalid_request"),
        (RuntimeError("secret detail"), 500, "internal_error"),
    ],
)
def test_what_a_handler_raises_is_answered_in_the_one_shape_on_both_ways(
    raised: Exception, status: int, code: str, layered: bool
) -> None:
    web = Web(told=raising(raised), layers=(lambda app: app) if layered else None)
    error = check_shape(web.send("GET", "/api/v1/predict?sport=x"), status, code)
    assert "secret detail" not in error["message"]
    assert error["field"] == getattr(raised, "field", None)


@pytest.mark.parametrize(
    ("answer", "status", "code", "message"),
    [
        (JSONResponse({"error": "Too many requests"}, 429), 429, "too_many_requests", "Too many requests"),
        (JSONResponse([{"error": "no such thing"}], 422), 422, None, "no such thing"),
        (JSONResponse({"detail": "members only"}, 403), 403, "forbidden", "members only"),
        (JSONResponse({"a": 1}, 401), 401, "unauthorized", "the request was refused before it was graded"),
        (PlainTextResponse("short and stout", 418), 418, None, "short and stout"),
        (PlainTextResponse("<html>", 402), 402, "payment_required", "the request was refused before it was graded"),
        (PlainTextResponse("", 499), 499, "invalid_request", "the request was refused before it was graded"),
        (PlainTextResponse("", 503), 503, "overloaded", "the service is busy: try again after Retry-After"),
        (PlainTextResponse("", 504), 504, "timeout", "no answer in time: try again"),
        (PlainTextResponse("secret", 500), 500, "internal_error", None),
        (PlainTextResponse("secret", 507), 500, "internal_error", None),
    ],
)
def test_what_another_layer_refuses_keeps_its_status_and_words_in_our_shape(
    answer: Response, status: int, code: str | None, message: str | None
) -> None:
    got = Web(layers=answering(answer)).send("POST", "/api/v1/predict", json=BET)
    error = check_shape(got, status, code or got.json()["error"]["code"])
    assert message is None or error["message"] == message
    assert "secret" not in error["message"]
    assert error["retryable"] == (status in (429, 503, 504))


def test_the_headers_of_another_layers_refusal_that_tell_what_to_do_are_kept() -> None:
    answer = JSONResponse({}, 429, headers={"retry-after": "7", "www-authenticate": "Basic", "server": "x"})
    got = Web(layers=answering(answer)).send("POST", "/api/v1/predict", json=BET)
    assert (got.headers["retry-after"], got.headers["www-authenticate"]) == ("7", "Basic")
    assert "server" not in got.headers


def test_a_busy_answer_says_once_when_to_come_back() -> None:
    for answer in (PlainTextResponse("", 503), PlainTextResponse("", 503, headers={"retry-after": "1"})):
        got = Web(layers=answering(answer)).send("POST", "/api/v1/predict", json=BET)
        assert got.headers.get_list("retry-after") == ["1"]


def test_a_probe_keeps_its_own_body_at_503() -> None:
    answer = Web(layers=answering(JSONResponse({"status": "starting"}, 503))).send("GET", "/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "starting"})


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("x" * 65, False), ("a b", False), ("", False)])
def test_a_sane_request_id_is_kept_and_any_other_replaced(given: str, kept: bool) -> None:
    answer = Web().send("GET", "/nowhere", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) == kept
    assert answer.headers["x-request-id"]


def test_a_chunked_body_over_the_limit_is_refused_without_its_length() -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * (MAX_BODY // 10)

    check_shape(Web().send("POST", "/api/v1/predict", content=chunks()), 413, "body_too_large")


@pytest.mark.parametrize("layers", [None, lambda app: app])
def test_a_body_in_pieces_is_read_whole(layers: Any) -> None:
    async def pieces() -> Any:
        for piece in (b'{"spo', b'rt": "Ten', b'nis"}'):
            yield piece

    web = Web(layers=layers)
    path = "/api/v1/predict" if layers is None else "/batch-predict"
    answer = web.send("POST", path, content=pieces())
    assert answer.status_code == (200 if layers is None else 500)  # the fake grader needs `bets`
    assert web.grader.asked[0][0] == BET


def test_requests_beyond_the_limit_are_turned_away_and_the_next_calm_one_is_served() -> None:
    web = Web(max_concurrency=2, told=busy(0.2))

    async def scenario() -> tuple[list[int], int]:
        async with web.client() as http:
            burst = await asyncio.gather(*(http.post("/api/v1/predict?explain=true", json=BET) for _ in range(20)))
            after = await http.post("/api/v1/predict", json={})
            return [answer.status_code for answer in burst], after.status_code

    statuses, after = asyncio.run(scenario())
    assert sorted(statuses) == [200] * 2 + [503] * 18
    assert after == 200


def test_what_takes_too_long_is_answered_with_504() -> None:
    web = Web(request_timeout=0.05, told=busy(0.5))
    check_shape(web.send("POST", "/api/v1/predict?explain=true", json={}), 504, "timeout")


@pytest.mark.parametrize(("key", "status"), [("right-key", 200), ("other-key", 200), ("wrong", 401), (None, 401)])
def test_keys_are_asked_for_once_they_are_set(key: str | None, status: int) -> None:
    headers = {"x-api-key": key} if key else {}
    web = Web(api_keys="right-key,other-key")
    assert web.send("POST", "/api/v1/predict", json={}, headers=headers).status_code == status


def test_a_websocket_of_another_layer_is_not_served_key_or_no_key() -> None:
    reached: list[Scope] = []

    async def served(scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(scope)

    async def scenario() -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        web = Web(layers=lambda _: served, api_keys="key-of-a-client-0001")
        for path in ("/mine/ws", "/api/v1/predict"):
            await web.app({"type": "websocket", "path": path, "headers": []}, receive, send)
        return sent

    assert asyncio.run(scenario()) == [{"type": "websocket.close"}] * 2
    assert reached == []


def test_a_preflight_needs_no_key_and_names_what_may_be_sent() -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    answer = Web(api_keys="right-key").send("OPTIONS", "/api/v1/predict", headers=asked)
    assert answer.status_code == 204
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"
    check_shape(Web().send("OPTIONS", "/api/v1/predict/", headers=asked), 404, "not_found")


def test_a_head_has_the_headers_of_the_get_no_body_and_no_effects() -> None:
    web = Web()
    for path in ("/api/v1/predict?sport=Tennis", "/ml-predict?sport=Tennis&league=ATP&dry_run=false"):
        got, head = web.send("GET", path), web.send("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert [options.dry_run for _, options in web.grader.asked] == [False, True, False, True]


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"content-encoding": "gzip"}, "gzip"),
        ({"content-encoding": "br"}, "br"),
        ({"content-type": "application/json; charset=latin-1"}, "latin-1"),
        ({"content-type": "application/json; charset=utf-16"}, "utf-16"),
        ({"content-type": "text/plain"}, "text/plain"),
    ],
)
def test_another_encoding_than_plain_utf_8_json_is_named(headers: dict[str, str], word: str) -> None:
    answer = Web().send("POST", "/api/v1/predict", content=b"{}", headers=headers)
    assert word in check_shape(answer, 415, "unsupported_media_type")["message"]


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=UTF-8", 'application/ld+json; charset="utf-8"']
)
def test_json_of_any_kind_in_utf_8_is_read(media: str) -> None:
    assert Web().send("POST", "/api/v1/predict", content=b"{}", headers={"content-type": media}).status_code == 200


class Upload:
    """A client of one request that sends its body as the test says; `Gone` closes the connection."""

    def __init__(self, web: Web, path: str = "/api/v1/predict") -> None:
        self.web = web
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: list[Message] = []
        self.scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }

    async def run(self) -> None:
        async def send(message: Message) -> None:
            self.answer.append(message)

        receive: Receive = self.messages.get
        keep: Send = send
        await self.web.app(self.scope, receive, keep)

    def piece(self, text: bytes = b"{", *, last: bool = False) -> None:
        self.messages.put_nowait({"type": "http.request", "body": text, "more_body": not last})


def test_a_body_that_does_not_arrive_in_time_is_a_408_on_every_route_and_blocks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pikkit.web.gateway.BODY_DEADLINE_S", 0.1)
    paths = ("/api/v1/predict", "/api/v1/batch-predict", "/batch-predict", "/api/v1/reload-models")
    web = Web(max_concurrency=2, request_timeout=600)  # of the answers to come; no stall makes one of them late
    begun, silent = [Upload(web, path) for path in paths * 2], [Upload(web, path) for path in paths]
    ended = [Upload(Web(request_timeout=0.1), path) for path in paths]  # what those wait for that send nothing

    async def scenario() -> int:
        for upload in begun:
            upload.piece()
        running = [asyncio.ensure_future(upload.run()) for upload in (*begun, *silent)]
        await asyncio.sleep(0.02)
        async with web.client() as http:
            served = await http.post("/api/v1/predict", json=BET)
        await asyncio.gather(*running[: len(begun)], *(upload.run() for upload in ended))
        for waiting in running[len(begun) :]:
            waiting.cancel()
        return served.status_code

    assert asyncio.run(scenario()) == 200
    for upload in (*begun, *ended):
        assert upload.answer[0]["status"] == 408
        assert json.loads(upload.answer[1]["body"])["error"]["code"] == "request_timeout"


def test_an_aborted_upload_is_counted_as_the_clients_and_not_answered() -> None:
    web = Web()

    async def scenario() -> Upload:
        upload = Upload(web)
        upload.piece()
        upload.messages.put_nowait({"type": "http.disconnect"})
        await upload.run()
        return upload

    assert asyncio.run(scenario()).answer == []
    counted = series(web.metrics.render().decode())
    assert value(counted, "pikkit_requests_total", endpoint="predict", status="4xx") == 1
    assert value(counted, "pikkit_active_requests") == 0


def test_bodies_on_their_way_hold_a_bounded_amount_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pikkit.web.gateway._MOST_BUFFERED", 1000)
    web = Web()

    async def scenario() -> list[Upload]:
        uploads = [Upload(web) for _ in range(3)]
        for upload in uploads:
            upload.piece(b" " * 400)
        running = [asyncio.ensure_future(upload.run()) for upload in uploads]
        await asyncio.sleep(0)
        for upload in uploads:
            upload.piece(b"{}", last=True)
        await asyncio.gather(*running)
        return uploads

    assert [upload.answer[0]["status"] for upload in asyncio.run(scenario())] == [200, 200, 503]


def test_without_the_shortcut_requests_go_through_the_layers_and_get_the_same_answers() -> None:
    passed: list[str] = []

    def layers(app: ASGIApp) -> ASGIApp:
        async def layer(scope: Scope, receive: Receive, send: Send) -> None:
            passed.append(scope["path"])
            await app(scope, receive, send)

        return layer

    straight, layered = Web(), Web(layers=layers)
    paths = ["/ml-predict", "/health", "/api/v1/predict", "/api/v1/model-info"]
    for path in paths:
        asked = f"{path}?sport=x&league=y&dry_run=true&other=1"
        assert straight.send("GET", asked).content == layered.send("GET", asked).content
    assert passed == paths
    assert straight.grader.asked == layered.grader.asked


def test_good_answers_to_probes_are_neither_logged_nor_counted_as_load(capsys: pytest.CaptureFixture[str]) -> None:
    web = Web(access_log=1)
    web.send("GET", "/ready")
    web.send("GET", "/nowhere")
    ill = Web(access_log=1, layers=answering(PlainTextResponse("", 503)))
    ill.send("GET", "/health")
    counted = series(web.metrics.render().decode())
    ill.metrics.render()
    logged = capsys.readouterr().out
    assert "/ready" not in logged
    assert logged.index("/nowhere") < logged.index("/health")
    assert value(counted, "pikkit_requests_total", endpoint="ready", status="200") == 1
    assert value(counted, "pikkit_active_requests") == 0

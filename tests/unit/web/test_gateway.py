import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pikkit.errors import InvalidRequest
from pikkit.settings import Settings
from pikkit.telemetry.metrics import Metrics
from pikkit.web.gateway import MAX_BODY, Gateway
from pikkit.web.hot import Answer

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
ORIGIN = "https://book.example"


async def echo(request: Request) -> Response:
    return PlainTextResponse(request.scope["state"]["body"])


async def broken(_request: Request) -> Response:
    raise RuntimeError("secret detail")


async def refusing(_request: Request) -> Response:
    raise InvalidRequest("7 is not a word: send text", field="word")


async def foreign(request: Request) -> Response:
    return JSONResponse([{"detail": "not ours"}], int(request.query_params["status"]))


async def slow(_request: Request) -> Response:
    await asyncio.sleep(0.3)
    return PlainTextResponse("done")


ROUTES = [
    Route("/api/v1/predict", echo, methods=["POST"]),
    Route("/slow", slow, methods=["POST", "GET"]),
    Route("/broken", broken),
    Route("/refusing", refusing),
    Route("/foreign", foreign),
    Route("/health", foreign),
]


def client(
    prepare: dict[str, Callable[[Scope], None]] | None = None, hot: dict[str, Answer] | None = None, **settings: Any
) -> httpx.AsyncClient:
    values = {"cors_origins": (ORIGIN,), "access_log": 0, **settings}
    made = Settings(_env_file=None, **values)
    app = Gateway(Router(ROUTES), settings=made, metrics=Metrics(made), prepare=prepare or {}, hot=hot or {})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers={"origin": ORIGIN})


def run(scenario: Any) -> Any:
    return asyncio.run(scenario)


def send(method: str, path: str, *, settings: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    async def scenario() -> httpx.Response:
        async with client(**(settings or {})) as http:
            return await http.request(method, path, **more)

    return run(scenario())  # type: ignore[no-any-return]


def check_shape(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "field", "request_id", "retryable"}
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


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
        ("GET", "/refusing", {}, 400, "invalid_request"),
        ("GET", "/broken", {}, 500, "internal_error"),
        ("GET", "/foreign?status=503", {}, 503, "overloaded"),
        ("GET", "/foreign?status=504", {}, 504, "timeout"),
        ("GET", "/foreign?status=418", {}, 500, "internal_error"),
    ],
)
def test_every_error_has_one_shape_and_cors_headers(
    method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    error = check_shape(send(method, path, **more), status, code)
    assert error["retryable"] == (status in (503, 504))
    assert "secret detail" not in error["message"]


def test_a_busy_answer_tells_when_to_come_back_and_a_wrong_method_what_is_allowed() -> None:
    assert send("GET", "/foreign?status=503").headers["retry-after"] == "1"
    assert send("PUT", "/api/v1/predict").headers["allow"] == "GET, HEAD, POST"


def test_probes_keep_their_own_body_at_503() -> None:
    answer = send("GET", "/health?status=503")
    assert (answer.status_code, answer.json()) == (503, [{"detail": "not ours"}])


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("x" * 65, False), ("a b", False), ("", False)])
def test_a_sane_request_id_is_kept_and_any_other_replaced(given: str, kept: bool) -> None:
    answer = send("GET", "/nowhere", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) == kept
    assert answer.headers["x-request-id"]


def test_a_chunked_body_over_the_limit_is_refused_without_its_length() -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * (MAX_BODY // 10)

    check_shape(send("POST", "/api/v1/predict", content=chunks()), 413, "body_too_large")


def test_the_body_reaches_the_handler_whole() -> None:
    assert send("POST", "/api/v1/predict", content=b'{"a": 1}').content == b'{"a": 1}'


def test_requests_beyond_the_limit_are_turned_away_and_the_next_calm_one_is_served() -> None:
    async def scenario() -> tuple[list[int], int]:
        async with client(max_concurrency=2) as http:
            burst = await asyncio.gather(*(http.post("/slow", json={}) for _ in range(20)))
            after = await http.post("/api/v1/predict", json={})
            return [answer.status_code for answer in burst], after.status_code

    statuses, after = run(scenario())
    assert sorted(statuses) == [200] * 2 + [503] * 18
    assert after == 200


def test_what_takes_too_long_is_answered_with_504() -> None:
    check_shape(send("POST", "/slow", json={}, settings={"request_timeout": 0.05}), 504, "timeout")


@pytest.mark.parametrize(("key", "status"), [("right-key", 200), ("other-key", 200), ("wrong", 401), (None, 401)])
def test_keys_are_asked_for_once_they_are_set(key: str | None, status: int) -> None:
    headers = {"x-api-key": key} if key else {}
    answer = send("POST", "/api/v1/predict", json={}, headers=headers, settings={"api_keys": "right-key,other-key"})
    assert answer.status_code == status


def test_a_preflight_needs_no_key_and_names_what_may_be_sent() -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    answer = send("OPTIONS", "/api/v1/predict", headers=asked, settings={"api_keys": "right-key"})
    assert answer.status_code == 204
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]


def test_what_prepare_raises_is_answered_before_the_application_is_asked() -> None:
    def refuse(_scope: Scope) -> None:
        raise InvalidRequest("no bets: send 1 to 100", field="bets")

    async def scenario() -> httpx.Response:
        async with client({"/api/v1/predict": refuse}) as http:
            return await http.post("/api/v1/predict", json={})

    assert check_shape(run(scenario()), 400, "invalid_request")["field"] == "bets"


def test_a_hot_path_is_answered_without_the_application_and_with_the_common_headers() -> None:
    async def answer(body: bytes, query: bytes) -> bytes:
        return body + query

    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with client(hot={"/api/v1/predict": answer, "/health": answer}) as http:
            return await http.post("/api/v1/predict?a=1", json={}), await http.get("/health?status=200")

    hot, other = run(scenario())
    assert (hot.status_code, hot.content) == (200, b"{}a=1")
    assert hot.headers["content-type"] == "application/json"
    assert hot.headers["access-control-allow-origin"] == ORIGIN
    assert hot.headers["x-request-id"]
    assert other.json() == [{"detail": "not ours"}]  # only POST is answered so


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [(InvalidRequest("no"), 400, "invalid_request"), (RuntimeError("secret detail"), 500, "internal_error")],
)
def test_what_a_hot_path_raises_is_answered_in_the_one_shape(raised: Exception, status: int, code: str) -> None:
    async def answer(_body: bytes, _query: bytes) -> bytes:
        raise raised

    async def scenario() -> httpx.Response:
        async with client(hot={"/api/v1/predict": answer}) as http:
            return await http.post("/api/v1/predict", json={})

    check_shape(run(scenario()), status, code)


def test_hot_paths_pass_by_the_layers_around_the_gateway_and_everything_else_goes_through_them() -> None:
    passed: list[str] = []

    class Layer:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            passed.append(scope.get("path", scope["type"]))
            await self.app(scope, receive, send)

    async def answer(body: bytes, _query: bytes) -> bytes:
        return body

    made = Settings(_env_file=None, access_log=0)
    options: dict[str, Any] = {
        "settings": made,
        "metrics": Metrics(made),
        "prepare": {},
        "hot": {"/api/v1/predict": answer},
    }
    layers = [Middleware(Layer), Middleware(Gateway, **options)]
    app = Starlette(routes=ROUTES, middleware=layers)

    async def scenario() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with LifespanOf(app), httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            posts = [await http.post(path, json={}) for path in ("/api/v1/predict", "/slow")]
            return [answered.status_code for answered in (*posts, await http.get("/api/v1/predict"))]

    assert run(scenario()) == [200, 200, 405]
    assert passed == ["lifespan", "/slow", "/api/v1/predict"]


class LifespanOf:
    """Runs an application's lifespan around a block, as a server does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __aenter__(self) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        started = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                started.set()

        self._task = asyncio.ensure_future(self._app({"type": "lifespan"}, self._inbox.get, send))
        await self._inbox.put({"type": "lifespan.startup"})
        await started.wait()

    async def __aexit__(self, *_: object) -> None:
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._task

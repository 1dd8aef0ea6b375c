"""What is asked of a slot, and that no answer is None."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.checks.probe import Probe

URL = "http://slot"


def asked(answer: httpx.Response, ask: Callable[[Probe], Any]) -> tuple[httpx.Request, Any]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    probe = Probe(api_key="k1", transport=httpx.MockTransport(handle))
    found = ask(probe)
    probe.close()
    return seen[0], found


@pytest.mark.parametrize(
    ("ask", "method", "path"),
    [
        (lambda probe: probe.health(URL), "GET", "/health"),
        (lambda probe: probe.model_info(URL), "GET", "/api/v1/model-info"),
        (lambda probe: probe.predict(URL, {"odds": -110}), "POST", "/api/v1/predict?dry_run=true"),
    ],
)
def test_each_question_is_asked_with_the_key_and_answered_with_its_body(
    ask: Callable[[Probe], Any], method: str, path: str
) -> None:
    request, found = asked(httpx.Response(503, json={"a": 1}), ask)
    assert (request.method, str(request.url), request.headers["x-api-key"]) == (method, URL + path, "k1")
    assert found == {"a": 1}
    assert not request.content or json.loads(request.content) == {"odds": -110}
    assert bool(request.content) == (method == "POST")
    for answer in (httpx.Response(200, json=[1]), httpx.Response(200, text="no JSON")):
        assert asked(answer, ask)[1] is None


def test_ready_and_metrics_are_there_with_a_200_alone() -> None:
    for status, there in ((200, True), (503, False), (204, False)):
        answer = httpx.Response(status, text="text")
        request, ready = asked(answer, lambda probe: probe.ready(URL))
        assert (request.url.path, ready) == ("/ready", there)
        request, metrics = asked(answer, lambda probe: probe.metrics(URL))
        assert (request.url.path, metrics) == ("/metrics", "text" if there else None)


def test_what_can_not_be_reached_is_none() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    probe = Probe(transport=httpx.MockTransport(refuse))
    assert (probe.ready(URL), probe.health(URL), probe.metrics(URL)) == (False, None, None)


@pytest.mark.parametrize(
    ("text", "active"),
    [
        ('{0}{{worker="1"}} 2\n{0}{{worker="2"}} 3\n', 5),
        ("{0} 0\n", 0),
        ("", None),  # a gauge that no worker has set says nothing
        ("pikkit_other 1\n", None),
    ],
)
def test_requests_in_progress_are_those_of_all_workers_and_unknown_where_none_tells(
    text: str, active: float | None
) -> None:
    gauge = "pikkit_active_requests"
    answer = httpx.Response(200, text=f"# TYPE {gauge} gauge\n{text.format(gauge)}")
    assert asked(answer, lambda probe: probe.active_requests(URL))[1] == active
    assert asked(httpx.Response(503), lambda probe: probe.active_requests(URL))[1] is None

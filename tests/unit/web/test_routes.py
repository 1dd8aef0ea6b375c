import asyncio
import json
from itertools import product

import pytest

from pikkit.web.routes import ROUTES, endpoints, find
from tests.support.web import Web

KEY = "a-key-of-more-than-sixteen"
KEYED = {
    ("POST", "/api/v1/predict"),
    ("GET", "/api/v1/predict"),
    ("POST", "/api/v1/batch-predict"),
    ("GET", "/ml-predict"),
    ("POST", "/batch-predict"),
    ("GET", "/api/v1/model-info"),
    ("GET", "/api/v1/drift-report"),
}
OPEN_TO_ALL = {"/", "/docs", "/drift", "/openapi.json", "/health", "/ready", "/live", "/metrics",
               "/docs.json", "/schema.json", "/livez", "/readyz", "/healthz"}  # fmt: skip
OURS = sorted({route.path for route in ROUTES if route.handler})
# How a path can be written so that something on the way may take it for the one in the table.
NEARLY = {
    "newline": "{0}\n",
    "newline before": "\n{0}",
    "carriage return": "{0}\r",
    "tab": "{0}\t",
    "blank": "{0} ",
    "NUL": "{0}\0",
    "unit separator": "{0}\x1f",
    "next line": "{0}\x85",
    "line separator": "{0}\u2028",
    "slash": "{0}/",
    "slashes": "{0}//",
    "double slash": "/{0}",
    "dot segment": "/.{0}",
    "dot segment after": "{0}/.",
    "dot segments": "/x/..{0}",
    "dot segments after": "{0}/x/..",
    "semicolon": "{0};",
    "matrix parameter": "{0};v=1",
    "percent twice": "{0}%0a",
    "encoded slash left": "{0}%2f",
    "question mark": "{0}?",
    "hash": "{0}#",
    "backslash": "{0}\\",
    "without its slash": "",
    "absolute": "http://evil.example{0}",
}


def variants(path: str) -> list[str]:
    made = [form.format(path) for form in NEARLY.values()] + [path.upper(), path.title(), path.replace("e", "е")]  # noqa: RUF001
    return [variant for variant in made if find(variant) is None or variant == ""]


def test_the_routes_that_need_a_key_or_a_token_are_these_and_no_others() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.needs == "key"} == KEYED
    assert {route.path for route in ROUTES if route.needs == "token"} == {"/api/v1/reload-models"}
    rest = {route.path for route in ROUTES if route.needs is None}
    assert {path for path in rest if not path.startswith(("/static/", "/static_content/"))} == OPEN_TO_ALL


def test_alerts_are_raised_by_the_posts_and_the_legacy_get() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.raises_alerts} == {
        ("POST", "/api/v1/predict"),
        ("POST", "/api/v1/batch-predict"),
        ("POST", "/batch-predict"),
        ("GET", "/ml-predict"),
    }


def test_a_path_has_one_row_for_each_method_and_one_label() -> None:
    pairs = [(route.method, route.path) for route in ROUTES]
    assert len(set(pairs)) == len(pairs)
    assert all(len({row.endpoint for row in (find(path) or {}).values()}) == 1 for _, path in pairs)
    assert "predict" in endpoints()
    assert "other" not in endpoints()


@pytest.fixture(scope="module")
def web() -> Web:
    return Web(environment="production", api_keys=KEY, admin_token=KEY[::-1])


@pytest.mark.parametrize("path", OURS)
def test_only_the_exact_path_is_served_with_a_key_or_without(web: Web, path: str) -> None:
    async def scenario() -> None:
        for variant, method, headers in product(
            variants(path), ("GET", "POST", "HEAD", "OPTIONS"), ({}, {"x-api-key": KEY})
        ):
            status, answered, body = await web.asked(method, variant, **headers)
            assert status == 404, (method, variant)
            assert "location" not in answered
            assert method == "HEAD" or json.loads(body)["error"]["code"] == "not_found"
            assert b"evil" not in body.replace(b"http://evil.example", b"")

    asyncio.run(scenario())
    assert web.grader.asked == []


@pytest.mark.parametrize(("method", "path"), sorted(KEYED))
def test_without_the_key_nothing_is_graded_or_told(web: Web, method: str, path: str) -> None:
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": KEY[:-1]}, {"x-api-key": KEY + " "}, {"authorization": KEY}):
        assert web.ask(method, path, **headers)[0] == 401
        assert method == "POST" or web.ask("HEAD", path, **headers)[0] == 401
    assert web.grader.asked == []


def test_the_admin_token_is_asked_for_before_the_body_is_read() -> None:
    web = Web(admin_token=KEY)
    assert web.send("POST", "/api/v1/reload-models", content=b"x" * 2_000_000).status_code == 401
    assert web.send("POST", "/api/v1/reload-models", headers={"x-admin-token": "wrong"}).status_code == 403
    assert web.send("POST", "/api/v1/reload-models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200


def test_reloading_is_open_in_development_and_closed_in_production_without_a_token() -> None:
    assert Web().send("POST", "/api/v1/reload-models").status_code == 200
    assert Web(environment="production").send("POST", "/api/v1/reload-models").status_code == 403


@pytest.mark.parametrize("path", OURS)
def test_a_wrong_method_is_refused_with_those_that_are_served(web: Web, path: str) -> None:
    rows = find(path) or {}
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW"} - rows.keys():
        status, headers, _ = web.ask(method, path)
        assert (status, headers["allow"]) == (405, ", ".join(sorted(rows)))

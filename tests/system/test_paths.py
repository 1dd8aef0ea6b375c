"""The real service in production with a key: no way to write a path leads past the key, nor anywhere else."""

from collections.abc import Iterator

import pytest

from tests.support.raw_http import EXACT, WRITTEN, exchanged, request
from tests.support.server import Server

pytestmark = pytest.mark.system

KEY = "k" * 24
KEYED = [
    ("GET", "/api/v1/predict"),
    ("POST", "/api/v1/predict"),
    ("POST", "/api/v1/batch-predict"),
    ("GET", "/ml-predict"),
    ("POST", "/batch-predict"),
    ("GET", "/api/v1/model-info"),
    ("GET", "/api/v1/drift-report"),
    ("POST", "/api/v1/reload-models"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("paths")
    with Server(
        folder,
        API_KEYS=KEY,
        ADMIN_TOKEN=KEY[::-1] * 2,
        ACCESS_LOG=0,
        ENVIRONMENT="production",
        CORS_ORIGINS="https://ok.example",
    ) as running:
        yield running


def test_without_the_key_no_way_to_write_a_path_is_answered_and_none_redirects(server: Server) -> None:
    asked = [(method, form.format(path)) for method, path in KEYED for form in (*EXACT, *WRITTEN)]
    for (method, path), (status, answer) in zip(
        asked, exchanged(server.port, [request(method, path) for method, path in asked]), strict=True
    ):
        expected = 401 if path.partition("?")[0] in {path for _, path in KEYED} else 404
        assert status == expected, (method, path, answer)
        assert b'{"error":{"code"' in answer
        assert b"location" not in answer.lower()
        assert b"evil.example" not in answer
    assert "Traceback" not in server.log.read_text()


def test_with_the_key_the_exact_path_is_answered_and_no_other(server: Server) -> None:
    for method, path in KEYED[:-1]:
        ways = [*EXACT, *WRITTEN, "http://evil.example{0}"]
        asked = [request(method, form.format(path), **{"x-api-key": KEY}) for form in ways]
        statuses = dict(zip(ways, (status for status, _ in exchanged(server.port, asked)), strict=True))
        exact = {statuses[form] for form in (*EXACT, "http://evil.example{0}")}
        assert exact <= ({200} if path.endswith(("info", "report")) else {400}), statuses
        assert {statuses[form] for form in WRITTEN} == {404}, statuses


def test_a_percent_encoded_letter_is_the_letter_and_needs_the_key_too(server: Server) -> None:
    [(without, _), (with_key, _)] = exchanged(
        server.port,
        [request("GET", "/api/v1/%6dodel-info"), request("GET", "/api/v1/%6dodel-info", **{"x-api-key": KEY})],
    )
    assert (without, with_key) == (401, 200)

"""What is no proper request gets the one shape of all errors from Nginx, and the status that says whose fault it is."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.flow import operations
from tests.support.deploy_rig import Rig
from tests.support.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """In a folder whose name holds what a path may hold, with a key for choosing slots, sticky by cookie."""
    folder = tmp_path_factory.mktemp("odd") / 'Änn\'s "run"; {x} y'
    settings = {"DEPLOY_STICKY": "cookie", "DEPLOY_OVERRIDE_KEY": "only-operators-know", "DEPLOY_KEY_RATE_LIMIT": "2"}
    with Rig(folder, **settings, DEPLOY_RATE_BURST="3", DEPLOY_TRUSTED_PROXIES="127.0.0.1") as stack:
        stack.release("1", "2")
        stack.do(operations.deploy, "1")
        stack.do(operations.canary, "2", weight=50)
        yield stack


def raw(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request)
        answer = b""
        while block := client.recv(65536):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1", 414),
        (b"GET /%00 HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"get /health HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /a\x01b HTTP/1.1", 400),
        (b"GET health HTTP/1.1", 400),
        (b"GET /../../etc/passwd HTTP/1.1", 400),
        (b"GET /%zz HTTP/1.1", 400),
        ("GET /Ärger HTTP/1.1".encode(), 400),
        (b"GET /health?a=\xff HTTP/1.1", 400),
        (b"GET / HTTP/9.1", 505),
        (b"nonsense", 400),
        (b"GET / HTTP/1.1\r\nX-Big: " + b"a" * 50_000, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip", 501),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_malformed_request_is_told_so_in_the_one_shape(rig: Rig, request_line: bytes, status: int) -> None:
    found, headers, body = raw(rig.port, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert found == status
    assert headers["content-type"] == "application/json"
    error = json.loads(body)["error"]
    assert error["code"] == "invalid_request"
    assert error["message"]
    assert error["request_id"] == headers["x-request-id"]
    assert headers["x-served-by"] == "nginx"


def test_a_method_that_nobody_serves_is_told_so(rig: Rig) -> None:
    found, _, body = raw(rig.port, b"BREW /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert found == 405
    assert json.loads(body)["error"]["code"] == "method_not_allowed"


def test_a_browser_stays_on_its_side_by_a_number_that_names_no_slot(rig: Rig) -> None:
    sides: set[str] = set()
    for _ in range(60):  # until both were met: of a dozen browsers, once in two thousand, all are of one side
        if len(sides) > 1:
            break
        rig.client.cookies.clear()
        first = rig.predict()
        rig.client.cookies.clear()
        cookie = first.headers["set-cookie"].partition(";")[0]
        name, _, number = cookie.partition("=")
        assert (name, len(number)) == ("pikkit_bucket", 32)
        assert "HttpOnly" in first.headers["set-cookie"]
        again = [rig.predict(cookie=cookie) for _ in range(5)]
        assert {answer.headers["x-served-by"] for answer in again} == {first.headers["x-served-by"]}
        assert not [answer for answer in again if "set-cookie" in answer.headers]
        sides.add(first.headers["x-served-by"])
    assert sides == {"blue", "canary"}
    assert "set-cookie" not in rig.predict(**{"x-client-id": "a"}).headers


def test_a_slot_is_chosen_only_with_the_key(rig: Rig) -> None:
    client = {"x-client-id": "somebody"}
    side = rig.predict(**client).headers["x-served-by"]
    other = {"blue": "canary", "canary": "blue"}[side]
    choice = {"x-deployment-target": other}
    assert rig.predict(**client, **choice).headers["x-served-by"] == side
    assert rig.predict(**client, **choice, **{"x-deployment-key": "guessed"}).headers["x-served-by"] == side
    key = {"x-deployment-key": "only-operators-know"}
    assert rig.predict(**client, **choice, **key).headers["x-served-by"] == other
    assert rig.predict(**client, **key, cookie=f"deployment={other}").headers["x-served-by"] == other
    assert (rig.run_dir / "nginx/nginx.conf").stat().st_mode & 0o777 == 0o600


def test_a_key_has_a_rate_of_its_own_wherever_it_is_used_from(rig: Rig) -> None:
    def asked(number: int) -> int:
        return rig.predict(**{"x-api-key": "k", "x-forwarded-for": f"10.0.0.{number}"}).status_code

    with ThreadPoolExecutor(20) as at_once:
        eventually(lambda: 429 in at_once.map(asked, range(20)))
    assert rig.predict(**{"x-api-key": "another"}).status_code == 200

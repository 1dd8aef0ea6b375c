"""What Nginx does with a request: the split, overrides, limits, errors, headers."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.errors import RouterError
from deploy.flow import operations
from deploy.flow.phases import set_weight
from deploy.watch.supervisor import Supervisor
from tests.support.certificates import self_signed, shown
from tests.support.deploy_rig import Rig
from tests.support.exposition import series, value
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

CLIENTS = 5_000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("router"), CORS_ORIGINS="https://ok.example") as stack:
        stack.release("1", "2")
        stack.do(operations.deploy, "1")
        stack.do(operations.canary, "2", weight=10)
        yield stack


async def chosen(rig: Rig, count: int) -> list[str]:
    """The slot that Nginx picks for each of `count` clients, as it tells at /route (over ten connections)."""

    async def some(first: int, last: int) -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port + 9)
        picked = []
        for client in range(first, last):
            writer.write(f"GET /route HTTP/1.1\r\nHost: x\r\nX-Client-ID: client-{client}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
            body = await reader.readexactly(length)
            picked.append(body.partition(b'"slot":"')[2].split(b'"')[0].decode())
        writer.close()
        return picked

    step = count // 10
    parts = await asyncio.gather(*(some(first, first + step) for first in range(0, count, step)))
    return [slot for part in parts for slot in part]


def share(weight: float) -> Any:
    """A share of the clients, but for what chance makes of it once in a million."""
    return pytest.approx(weight, abs=5 * (weight * (1 - weight) / CLIENTS) ** 0.5)


def test_a_share_of_10_percent_is_10_percent_and_growing_moves_nobody_back(rig: Rig) -> None:
    set_weight(rig.stack(), 10)
    at_10 = asyncio.run(chosen(rig, CLIENTS))
    assert at_10.count("canary") / CLIENTS == share(0.1)
    assert asyncio.run(chosen(rig, CLIENTS)) == at_10
    before = {n for n, slot in enumerate(at_10) if slot == "canary"}
    for weight in (25, 50):
        set_weight(rig.stack(), weight)
        now = {n for n, slot in enumerate(asyncio.run(chosen(rig, CLIENTS))) if slot == "canary"}
        assert len(now) / CLIENTS == share(weight / 100)
        assert before <= now
        before = now
    set_weight(rig.stack(), 10, new_salt=True)
    salted = {n for n, slot in enumerate(asyncio.run(chosen(rig, CLIENTS))) if slot == "canary"}
    assert len(salted & before) / len(salted) < 0.6  # another release meets other clients


def test_header_goes_before_cookie_and_cookie_before_split(rig: Rig) -> None:
    for number in range(30):
        client = {"x-client-id": f"c{number}"}
        assert rig.predict(**client, **{"x-deployment-target": "canary"}).headers["x-served-by"] == "canary"
        assert rig.predict(**client, **{"x-deployment-target": "production"}).headers["x-served-by"] == "blue"
        assert rig.predict(**client, cookie="deployment=canary").headers["x-served-by"] == "canary"
        both = rig.predict(**client, cookie="deployment=canary", **{"x-deployment-target": "blue"})
        assert both.headers["x-served-by"] == "blue"


def test_a_slot_without_traffic_can_not_be_chosen(rig: Rig) -> None:
    assert rig.predict(**{"x-deployment-target": "green", "x-client-id": "a"}).status_code == 200
    assert rig.predict(**{"x-deployment-target": "nonsense; drop"}).status_code == 200


def test_a_dead_canary_costs_its_clients_no_error_on_connect(rig: Rig) -> None:
    stack = rig.stack()
    set_weight(stack, 50)
    stack.runtime.stop("canary", grace_s=2)
    answers = [rig.predict(**{"x-client-id": f"c{n}"}) for n in range(100)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-served-by"] for answer in answers} == {"blue"}  # told by what really served
    rig.do(operations.canary, "2", weight=10)


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/metrics/", "/METRICS", "/x/../metrics"])
def test_metrics_are_closed_from_outside(rig: Rig, path: str) -> None:
    with socket.create_connection(("127.0.0.1", rig.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert client.makefile("rb").readline().split()[1] == b"403"


def test_prometheus_is_told_inside_where_the_traffic_goes(rig: Rig) -> None:
    set_weight(rig.stack(), 10)
    found = series(httpx.get(f"http://127.0.0.1:{rig.port + 9}/metrics").text)
    assert value(found, "pikkit_lb_production", slot="blue") == 1
    assert value(found, "pikkit_lb_canary_weight_percent") == 10


def test_the_admin_route_is_closed_from_outside(rig: Rig) -> None:
    answer = rig.client.post(f"{rig.url}/api/v1/reload-models")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"


def test_nginx_own_errors_have_the_shape_and_the_headers_of_all_errors(rig: Rig) -> None:
    headers = {"origin": "https://ok.example", "x-request-id": "abc-1"}
    answer = rig.client.post(f"{rig.url}/api/v1/predict", content=b"x" * 1_100_000, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"] == {
        "code": "body_too_large",
        "message": "the body is over 1 MiB: send fewer bets at a time",
        "field": None,
        "request_id": "abc-1",
        "retryable": False,
    }
    assert answer.headers["access-control-allow-origin"] == "https://ok.example"
    assert "X-Served-By" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["x-served-by"] == "nginx"
    other = httpx.post(f"{rig.url}/api/v1/predict", content=b"x" * 1_100_000, headers={"origin": "https://no.example"})
    assert "access-control-allow-origin" not in other.headers


def test_a_request_id_is_passed_on_made_or_replaced(rig: Rig) -> None:
    assert rig.predict(**{"x-request-id": "mine.1"}).headers["x-request-id"] == "mine.1"
    assert len(rig.predict().headers["x-request-id"]) == 32
    assert len(rig.predict(**{"x-request-id": 'a"b'}).headers["x-request-id"]) == 32


def test_security_headers_are_there_and_hsts_only_with_tls(rig: Rig) -> None:
    headers = rig.predict().headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers
    assert headers["server"] == "nginx"


def test_the_access_log_is_json_with_slot_and_upstream_time(rig: Rig) -> None:
    rig.predict(**{"x-request-id": "look-for-me"})

    def logged() -> list[str]:
        lines = (rig.run_dir / "nginx/logs/access.log").read_text().splitlines()
        return [line for line in lines if "look-for-me" in line]

    entry = json.loads(eventually(logged)[0])
    assert entry["request_id"] == "look-for-me"
    assert entry["slot"] in ("blue", "canary")
    assert float(entry["upstream_seconds"]) >= 0
    assert entry["path"] == "/api/v1/predict"


def test_a_client_over_its_rate_is_told_so_and_when_to_come_back(tmp_path: Path) -> None:
    with Rig(tmp_path, DEPLOY_RATE_LIMIT="5", DEPLOY_RATE_BURST="5") as limited:
        limited.release("1")
        limited.do(operations.deploy, "1")

        def over() -> list[httpx.Response]:
            with ThreadPoolExecutor(30) as at_once:
                answers = list(at_once.map(lambda _: limited.predict(), range(30)))
            return [answer for answer in answers if answer.status_code == 429]

        refused = eventually(over)
        assert refused[0].json()["error"]["code"] == "rate_limited"
        assert refused[0].json()["error"]["retryable"] is True
        assert refused[0].headers["retry-after"] == "1"


def test_with_a_certificate_the_proxy_speaks_tls_and_sends_hsts(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    certificate, key = (Path(path) for path in files.values())
    with Rig(tmp_path / "stack", **files) as secure:
        secure.release("1", "2")
        secure.do(operations.deploy, "1")
        with httpx.Client(verify=ssl.create_default_context(cafile=certificate)) as client:
            good = client.post(f"https://localhost:{secure.port}/api/v1/predict", json={})
            closed = client.get(f"https://localhost:{secure.port}/metrics")
        assert (good.status_code, closed.status_code) == (200, 403)
        assert good.headers["strict-transport-security"] == closed.headers["strict-transport-security"]
        assert shown(secure.port) == certificate.read_text()

        self_signed(tmp_path)  # renewed
        Supervisor(secure.stack()).look()  # notices it, without a command
        assert shown(secure.port) == certificate.read_text()
        copies = secure.run_dir / "nginx/tls"
        assert [path.stat().st_mode & 0o777 for path in copies.glob("*.key")] == [0o600, 0o600]
        secure.do(operations.deploy, "2")
        assert [path.read_text() for path in copies.glob("*.key")] == [key.read_text()]

        renewed = certificate.read_text()
        certificate.write_text("not a certificate")
        refused = secure.run("up", code=RouterError.exit_code)
        assert "the old one stays" in refused
        certificate.unlink()
        told = secure.run("rollback")
        assert f"{certificate} can't be read" in told
        assert "the last certificate stays in use" in told
        assert shown(secure.port) == renewed

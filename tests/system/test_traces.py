"""With a collector named, requests go through BentoML's layers, spans are made and sent, and answers are the same."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and keeps the bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Collector)
        self.server.bodies.append(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running
        running.shutdown()


def test_traced_requests_are_answered_as_ever_and_their_spans_reach_the_collector(
    collector: Collector, tmp_path: Path
) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    with Server(tmp_path, OTLP_ENDPOINT=endpoint) as server, httpx.Client(base_url=server.url) as http:
        one = http.post("/api/v1/predict", json=BET).json()
        many = http.post("/api/v1/batch-predict", json={"bets": [BET, {}]}).json()
        assert many["summary"]["successful"] == many["summary"]["failed"] == 1
        assert {**many["predictions"][0]["prediction"], "timestamp": ""} == {**one, "timestamp": ""}
        refused = http.post("/api/v1/predict", json={})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_bet")
        eventually(lambda: "trace_id=" in server.log.read_text())  # the line is written once the answer is on its way
        eventually(lambda: any(b"/api/v1/predict" in body for body in collector.bodies))

"""What happens to requests and workers when processes are told to end, or just do."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.exposition import series, value
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}


def workers(server: Server) -> list[psutil.Process]:
    found = psutil.Process(server.pid).children(recursive=True)
    return [process for process in found if "worker" in _command(process)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return ""


def alive(server: Server) -> float:
    return value(series(httpx.get(f"{server.url}/metrics").content), "pikkit_workers_alive")


def test_sigterm_under_load_lets_every_accepted_request_finish(tmp_path: Path) -> None:
    server = Server(tmp_path, ACCESS_LOG=0)
    outcome: Counter[str] = Counter()
    ending = threading.Event()

    def client() -> None:
        with httpx.Client(base_url=server.url) as http:
            while not ending.is_set():
                try:
                    answer = http.post("/api/v1/batch-predict", json={"bets": [BET] * 100})
                except httpx.ConnectError:
                    outcome["refused"] += 1  # never accepted: the proxy has moved away by then
                    return
                except httpx.HTTPError as error:
                    outcome[type(error).__name__] += 1
                    return
                outcome[str(answer.status_code)] += 1
                if len(answer.json()["predictions"]) != 100:
                    outcome["cut"] += 1

    threads = [threading.Thread(target=client) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        eventually(lambda: outcome["200"] > 50)
        server.signal(signal.SIGTERM)
        assert server.popen.wait() in (0, -signal.SIGTERM, 143)
    finally:
        ending.set()
        for thread in threads:
            thread.join(120)
        server.stop()
    # An idle keep-alive connection is closed by the server; the client may just be writing to it.
    assert set(outcome) <= {"200", "refused", "RemoteProtocolError", "ReadError", "WriteError"}, outcome
    assert outcome["cut"] == 0


def test_in_a_container_a_service_that_lost_a_worker_stops_so_that_it_is_started_anew(tmp_path: Path) -> None:
    with Server(tmp_path, WORKERS=2, ACCESS_LOG=0, BENTOML_CONTAINERIZED="true", BIND_HOST="127.0.0.1") as server:
        eventually(lambda: alive(server) == 2)
        os.kill(workers(server)[0].pid, signal.SIGKILL)
        server.popen.wait()
        assert "nobody starts them again" in server.log.read_text()

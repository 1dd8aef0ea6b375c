"""The servers that are compared, each as its author would run it: one worker, all of them on the first core."""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.load.loops import Load, wrk
from benchmarks.load.mix import one, queries, requests
from deploy.proxy.local import find_nginx
from deploy.settings import DeploySettings
from tests.support.need import root
from tests.support.ports import free_port
from tests.support.processes import Process

__all__ = ["FAR", "NEAR", "Case", "Contestant", "Rival", "cpu_s", "environment", "nginx", "running", "versions"]

SECONDS = 1
_NUMPY = ("xgboost-cpu", "scikit-learn", "numpy")
_FASTAPI = ("fastapi", "uvicorn[standard]", "starlette", "pandas", *_NUMPY)


@dataclass(frozen=True)
class Case:
    """What is asked: a kind of bets, by so many clients; `batch` bets in each request (0: one, without an envelope)."""

    title: str
    path: str
    kind: str
    clients: int
    batch: int = 0
    query: bool = False

    @property
    def bets(self) -> int:
        """Bets of one request."""
        return self.batch or 1


@cache
def asked(path: str, kind: str, batch: int, *, query: bool) -> list[bytes]:
    """The requests of a case."""
    return queries(kind, path) if query else requests(kind, path, batch=batch)


def _bets(case: Case) -> list[bytes]:
    return asked(case.path, case.kind, case.batch, query=case.query)


def _tensors(case: Case) -> list[bytes]:
    """Requests of the V2 protocol; the caller has computed the features, so all kinds are alike."""
    width = len(json.loads((root() / "models/model_metadata_latest.json").read_text())["features"])
    rows = np.random.default_rng(1).random((200, case.bets * width)).round(3).tolist()
    inputs = ({"name": "x", "shape": [case.bets, width], "datatype": "FP32", "data": row} for row in rows)
    return [one("/v2/models/bets/infer", {"inputs": [values]}) for values in inputs]


@dataclass(frozen=True)
class Rival:
    """Another way to serve: its packages, its command (`{port}` is filled in), and its requests where they differ."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    requests: Callable[[Case], list[bytes]] = _bets


def _uvicorn(name: str, module: str) -> Rival:
    return Rival(name, _FASTAPI, ("-m", "uvicorn", f"rivals.{module}:app", "--port", "{port}", "--no-access-log"))


NEAR = (
    _uvicorn("limit (Starlette, constant answer)", "limit"),
    _uvicorn("FastAPI, hand-tuned", "tuned"),
    _uvicorn("FastAPI, as written first", "naive"),
)
FAR = (
    Rival(
        "BentoML by the book",
        ("bentoml", "pandas", "uvloop", "httptools", *_NUMPY),
        ("-m", "bentoml", "serve", "rivals.stock_bentoml:Stock", "--port", "{port}", "--working-dir", "{rivals}"),
    ),
    Rival("LitServe by the book", ("litserve", *_NUMPY), ("-m", "rivals.stock_litserve", "{port}")),
    Rival(
        "MLServer by the book (rows, not bets)",
        ("mlserver", "mlserver-xgboost", *_NUMPY),
        ("-m", "rivals.stock_mlserver", "{port}"),
        _tensors,
    ),
    Rival("Ray Serve by the book", ("ray[serve]", *_NUMPY), ("-m", "rivals.stock_ray", "{port}")),
)


@dataclass
class Contestant:
    """A server that runs, and what it did in each round of each case."""

    name: str
    url: str
    pids: Sequence[int]
    start_s: float
    requests: Callable[[Case], list[bytes]] = _bets
    loads: dict[Case, list[Load]] = field(default_factory=dict)
    cpu_us: dict[Case, list[float]] = field(default_factory=dict)  # of a request
    memory_mib: float = 0.0
    own_mib: float = 0.0  # of the same process, what it shares with none

    def measure(self, case: Case, seconds: int = SECONDS) -> None:
        """One round of one case."""
        before = cpu_s(self.pids)
        load = wrk(self.url, self.requests(case), case.clients, seconds)
        assert load.failed == 0, f"{self.name}: {load.failed} requests of {case} failed"
        used = cpu_s(self.pids) - before
        self.loads.setdefault(case, []).append(load)
        self.cpu_us.setdefault(case, []).append(1e6 * used / max(load.rate * seconds, 1))
        largest = max(_family(self.pids), key=lambda process: process.memory_info().rss)
        used_by_it = largest.memory_full_info()
        self.memory_mib, self.own_mib = used_by_it.rss / 2**20, used_by_it.uss / 2**20

    def rate(self, case: Case) -> float:
        """Requests per second: the median of the rounds."""
        return statistics.median(load.rate for load in self.loads[case])

    def spread(self, case: Case) -> float:
        """Half the distance between the best and the worst round, as a fraction of the median; 0 where that is 0."""
        rates = [load.rate for load in self.loads[case]]
        return (max(rates) - min(rates)) / 2 / (self.rate(case) or 1.0)


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    heads = [psutil.Process(pid) for pid in pids]
    return [*heads, *(child for head in heads for child in head.children(recursive=True))]


def cpu_s(pids: Sequence[int]) -> float:
    """Seconds of CPU that these processes and all they started have used."""
    return sum(sum(process.cpu_times()[:2]) for process in _family(pids))


def environment(packages: Sequence[str]) -> Path:
    """A Python environment with these packages, made once under .data/, so that none becomes a dependency."""
    named = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    folder = root() / ".data" / f"bench-{named}"
    if not (folder / "done").is_file():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *packages], check=True)
        (folder / "done").touch()
    return folder


@contextmanager
def running(rival: Rival, folder: Path) -> Iterator[Contestant]:
    """One rival on the first core."""
    python = environment(rival.packages) / "bin/python"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    rivals = str(root() / "benchmarks")
    arguments = [part.format(port=port, rivals=rivals) for part in rival.command]
    env = {
        "MODEL_DIR": str(root() / "models"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": rivals,
        "BENTOML_DO_NOT_TRACK": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    begin = time.monotonic()
    log = folder / f"rival-{port}.log"
    with Process(["taskset", "-c", "0", str(python), *arguments], log=log, env=env, cwd=folder) as process:
        request = rival.requests(Case("predict", "/api/v1/predict", "one bet", 1))[0]
        _wait_for(url, process, request)
        yield Contestant(rival.name, url, [process.pid], time.monotonic() - begin, rival.requests)


def _wait_for(url: str, process: Process, request: bytes) -> None:
    head, _, body = request.partition(b"\r\n\r\n")
    path = head.split(b" ", 2)[1].decode()
    for _ in range(600):
        try:
            if httpx.post(f"{url}{path}", content=body, headers={"content-type": "application/json"}).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"it did not answer:\n{process.tail()}")


@contextmanager
def nginx(upstream: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A plain proxy with keep-alive in front of `upstream`, on the first core too."""
    port = free_port()
    address = upstream.removeprefix("http://")
    (folder / "logs").mkdir(exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/logs/error.log;\n"
        "events {} http { access_log off; "
        f"upstream service {{ server {address} max_fails=0; keepalive 64; }}\n"
        f"server {{ listen 127.0.0.1:{port}; client_max_body_size 1m; client_body_buffer_size 1m; "
        "location / { proxy_pass http://service; "
        'proxy_http_version 1.1; proxy_set_header Connection ""; } } }\n'
    )
    command: list[str] = ["taskset", "-c", "0", str(find_nginx(DeploySettings())), "-p", str(folder), "-c", str(file)]
    with Process(command, log=folder / "nginx.log") as process:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}", process.pid


def versions() -> str:
    """Packages of the rivals with their versions."""
    found: dict[str, str] = {}
    for rival in (*NEAR, *FAR):
        python = environment(rival.packages) / "bin/python"
        listed = subprocess.run(
            [Path(sys.executable).with_name("uv"), "pip", "list", "--python", python, "--format", "freeze"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        wanted = {package.partition("[")[0] for package in rival.packages}
        for line in listed.splitlines():
            package, _, version = line.partition("==")
            if package in wanted:
                found.setdefault(package, version)
    return ", ".join(f"{package} {version}" for package, version in sorted(found.items()))

"""`python -m benchmarks.compare`: the service beside other ways to serve the same, into benchmarks/RESULTS.md.

All on one core, loaded by wrk on the other with the same bets; the rounds are interleaved and medians are told. The
rivals run in an environment of their own under .data/, so that none of it becomes a dependency.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.serve import BET, wrk
from deploy.nginx_binary import find_nginx
from deploy.settings import DeploySettings
from tests.support.need import root
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.server import Server

ROUNDS, SECONDS = 3, 2
RIVALS = {
    "limit (Starlette, constant answer)": "limit",
    "FastAPI, hand-tuned": "tuned",
    "FastAPI, as written first": "naive",
}
PACKAGES = ("fastapi", "uvicorn[standard]", "starlette", "pandas", "xgboost-cpu", "scikit-learn", "numpy")
CASES = (
    ("predict", "/api/v1/predict", BET, (1, 16, 64)),
    ("batch of 100", "/api/v1/batch-predict", {"bets": [BET] * 100}, (1, 8)),
)


@dataclass
class Contestant:
    """A server that runs."""

    name: str
    url: str
    pids: Sequence[int]
    start_s: float
    rates: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    p50: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    p99: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    memory_mib: float = 0.0
    cpu_us_per_bet: dict[tuple[str, int], list[float]] = field(default_factory=dict)


def environment() -> Path:
    """The rivals' own Python environment, made once."""
    folder = root() / ".data/bench-venv"
    if not (folder / "done").is_file():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *PACKAGES], check=True)
        (folder / "done").touch()
    return folder


@contextmanager
def rival(name: str, module: str, folder: Path) -> Iterator[Contestant]:
    """One rival on the first core."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    python = environment() / "bin/python"
    serve = ["-m", "uvicorn", f"rivals.{module}:app", "--port", str(port), "--no-access-log"]
    command = ["taskset", "-c", "0", str(python), *serve]
    env = {"MODEL_DIR": str(root() / "models"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root() / "benchmarks")}
    begin = time.monotonic()
    with Process(command, log=folder / f"{module}.log", env=env, cwd=folder) as process:
        _wait_for(url, process)
        yield Contestant(name, url, [process.pid], time.monotonic() - begin)


def _wait_for(url: str, process: Process) -> None:
    import httpx  # noqa: PLC0415 - the only use

    for _ in range(300):
        try:
            if httpx.post(f"{url}/api/v1/predict", json=BET, timeout=2).is_success:
                return
        except httpx.HTTPError:
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
    command: list[str] = ["taskset", "-c", "0", *find_nginx(DeploySettings(), folder).start(file)]
    with Process(command, log=folder / "nginx.log") as process:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}", process.pid


def _cpu_s(pids: Sequence[int]) -> float:
    family = [
        process for pid in pids for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def measure(contestant: Contestant, path: str, body: Mapping[str, object], case: tuple[str, int], bets: int) -> None:
    """One round of one case."""
    before = _cpu_s(contestant.pids)
    rate, latency, failed = wrk(contestant.url + path, body, case[1], SECONDS)
    assert failed == 0, f"{contestant.name}: {failed} requests failed"
    used = _cpu_s(contestant.pids) - before
    contestant.rates.setdefault(case, []).append(rate)
    contestant.p50.setdefault(case, []).append(latency[50])
    contestant.p99.setdefault(case, []).append(latency[99])
    contestant.cpu_us_per_bet.setdefault(case, []).append(1e6 * used / (rate * SECONDS * bets))
    family = [process for pid in contestant.pids for process in psutil.Process(pid).children(recursive=True)]
    heads = [psutil.Process(pid) for pid in contestant.pids]
    contestant.memory_mib = max(process.memory_info().rss for process in (*family, *heads)) / 2**20


def run(contestants: Sequence[Contestant]) -> None:
    """All cases, interleaved."""
    for _ in range(ROUNDS):
        for title, path, body, clients in CASES:
            for c in clients:
                for contestant in contestants:
                    measure(contestant, path, body, (title, c), 100 if "bets" in body else 1)


def table(contestants: Sequence[Contestant]) -> str:
    """Medians as Markdown, and ratios to the limit."""
    limit = contestants[0]
    lines = []
    for title, _, body, clients in CASES:
        bets = 100 if "bets" in body else 1
        for c in clients:
            case = (title, c)
            lines += [
                f"\n### {title}, {c} {'client' if c == 1 else 'clients'}\n",
                "| | requests/s | of the limit | bets/s | p50 ms | p99 ms | CPU µs/bet |",
                "|---|---|---|---|---|---|---|",
            ]
            top = statistics.median(limit.rates[case])
            for one in contestants:
                rate = statistics.median(one.rates[case])
                lines.append(
                    f"| {one.name} | {rate:,.0f} | {100 * rate / top:.0f} % | {rate * bets:,.0f} "
                    f"| {statistics.median(one.p50[case]):.2f} | {statistics.median(one.p99[case]):.2f} "
                    f"| {statistics.median(one.cpu_us_per_bet[case]):,.0f} |"
                )
    lines.append("\n### Start and memory\n\n| | first answer after s | largest process MiB |\n|---|---|---|")
    lines += [f"| {one.name} | {one.start_s:.1f} | {one.memory_mib:.0f} |" for one in contestants]
    return "\n".join(lines)


def main() -> None:
    """Start everything, load it, write the results."""
    if shutil.which("wrk") is None or not hasattr(os, "sched_setaffinity"):
        sys.exit("this needs Linux and wrk: apt-get install wrk")
    os.sched_setaffinity(0, {1})  # wrk and this process: the second core
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contestants: list[Contestant] = []
        with (
            rival("limit (Starlette, constant answer)", "limit", folder) as limit,
            rival("FastAPI, hand-tuned", "tuned", folder) as tuned,
            rival("FastAPI, as written first", "naive", folder) as naive,
        ):
            os.sched_setaffinity(0, {0})
            with Server(folder, ACCESS_LOG=0):
                pass  # imports the models once, as an installation does
            begin = time.monotonic()
            with Server(folder, ACCESS_LOG=0) as server:
                start = time.monotonic() - begin
                os.sched_setaffinity(0, {1})
                own = Contestant("this service", server.url, [server.pid], start)
                with nginx(server.url, folder) as (url, pid):
                    behind = Contestant("this service behind Nginx", url, [server.pid, pid], start)
                    contestants = [limit, own, behind, tuned, naive]
                    run(contestants)
        text = table(contestants)
    python = environment() / "bin/python"
    listed = subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "list", "--python", python, "--format", "freeze"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    wanted = {package.partition("[")[0] for package in PACKAGES}
    versions = ", ".join(line.replace("==", " ") for line in listed.splitlines() if line.partition("==")[0] in wanted)
    head = (
        "# What a graded bet costs\n\n"
        "Made by `make compare`: one worker each, all servers on one core, wrk on the other; "
        f"{ROUNDS} interleaved rounds of {SECONDS} s, medians. The rivals do less: no history, no checks of odds, no "
        "metrics, no request ids, no reload.\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; rivals: {versions}.\n"
    )
    (root() / "benchmarks/RESULTS.md").write_text(head + text + "\n", encoding="utf-8")
    print(head + text)


if __name__ == "__main__":
    main()

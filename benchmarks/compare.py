"""`make bench`: the service beside other ways to serve the same, into benchmarks/RESULTS.md.

All on one core, loaded by wrk on the other with the same bets; the rounds are interleaved and medians are told. The
rivals run in an environment of their own under .data/, so that none of it becomes a dependency.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.serve import BET, wrk
from deploy.proxy.binary import find_nginx
from deploy.settings import DeploySettings
from tests.support.need import root
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.server import Server

ROUNDS, SECONDS = 3, 2
CASES = (
    ("predict", "/api/v1/predict", BET, (1, 16, 64)),
    ("batch of 100", "/api/v1/batch-predict", {"bets": [BET] * 100}, (1, 8)),
)
OWN, BEHIND = "this service", "this service behind Nginx"
_NUMPY = ("xgboost-cpu", "scikit-learn", "numpy")
_FASTAPI = ("fastapi", "uvicorn[standard]", "starlette", "pandas", *_NUMPY)


@dataclass(frozen=True)
class Rival:
    """Another way to serve: its packages, its command (`{port}` is filled in), and its calls where they differ."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    calls: Mapping[str, tuple[str, object]] = field(default_factory=dict)


def _uvicorn(name: str, module: str) -> Rival:
    return Rival(
        name,
        _FASTAPI,
        ("-m", "uvicorn", f"rivals.{module}:app", "--port", "{port}", "--no-access-log"),
    )


def _tensor(rows: int) -> tuple[str, object]:
    """A request of the V2 protocol; the caller has computed the features."""
    width = len(json.loads((root() / "models/model_metadata_latest.json").read_text())["features"])
    values = {"name": "x", "shape": [rows, width], "datatype": "FP32", "data": [0.5] * (rows * width)}
    return "/v2/models/bets/infer", {"inputs": [values]}


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
        {"predict": _tensor(1), "batch of 100": _tensor(100)},
    ),
    Rival("Ray Serve by the book", ("ray[serve]", *_NUMPY), ("-m", "rivals.stock_ray", "{port}")),
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
    p95: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    p99: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    memory_mib: float = 0.0
    cpu_us_per_bet: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    calls: Mapping[str, tuple[str, object]] = field(default_factory=dict)


def environment(packages: Sequence[str]) -> Path:
    """A Python environment with these packages, made once."""
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
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    python = environment(rival.packages) / "bin/python"
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
        _wait_for(url, process, *rival.calls.get("predict", ("/api/v1/predict", BET)))
        yield Contestant(rival.name, url, [process.pid], time.monotonic() - begin, calls=rival.calls)


def _wait_for(url: str, process: Process, path: str, body: object) -> None:
    import httpx  # noqa: PLC0415 - the only use

    for _ in range(600):
        try:
            if httpx.post(f"{url}{path}", json=body, timeout=2).is_success:
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
    command: list[str] = ["taskset", "-c", "0", *find_nginx(DeploySettings(), folder).start(file)]
    with Process(command, log=folder / "nginx.log") as process:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}", process.pid


def _cpu_s(pids: Sequence[int]) -> float:
    family = [
        process for pid in pids for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def measure(contestant: Contestant, path: str, body: object, case: tuple[str, int], bets: int) -> None:
    """One round of one case."""
    path, body = contestant.calls.get(case[0], (path, body))
    before = _cpu_s(contestant.pids)
    rate, latency, failed = wrk(contestant.url + path, body, case[1], SECONDS)
    assert failed == 0, f"{contestant.name}: {failed} requests failed"
    used = _cpu_s(contestant.pids) - before
    contestant.rates.setdefault(case, []).append(rate)
    contestant.p50.setdefault(case, []).append(latency[50])
    contestant.p95.setdefault(case, []).append(latency[95])
    contestant.p99.setdefault(case, []).append(latency[99])
    contestant.cpu_us_per_bet.setdefault(case, []).append(1e6 * used / (rate * SECONDS * bets))
    family = [process for pid in contestant.pids for process in psutil.Process(pid).children(recursive=True)]
    heads = [psutil.Process(pid) for pid in contestant.pids]
    contestant.memory_mib = max(process.memory_info().rss for process in (*family, *heads)) / 2**20


def run(contestants: Sequence[Contestant], rounds: int = ROUNDS) -> None:
    """All cases, interleaved."""
    for _ in range(rounds):
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
                "| | requests/s | of the limit | bets/s | p50 ms | p95 ms | p99 ms | CPU µs/bet |",
                "|---|---|---|---|---|---|---|---|",
            ]
            top = statistics.median(limit.rates[case])
            for one in contestants:
                rate = statistics.median(one.rates[case])
                lines.append(
                    f"| {one.name} | {rate:,.0f} | {100 * rate / top:.0f} % | {rate * bets:,.0f} "
                    f"| {statistics.median(one.p50[case]):.2f} | {statistics.median(one.p95[case]):.2f} "
                    f"| {statistics.median(one.p99[case]):.2f} "
                    f"| {statistics.median(one.cpu_us_per_bet[case]):,.0f} |"
                )
    lines.append("\n### Start and memory\n\n| | first answer after s | largest process MiB |\n|---|---|---|")
    lines += [f"| {one.name} | {one.start_s:.1f} | {one.memory_mib:.0f} |" for one in contestants]
    return "\n".join(lines)


def targets(contestants: Sequence[Contestant]) -> str:
    """What was aimed at, as ratios within the run, and what came out."""
    by_name = {one.name: one for one in contestants}

    def ratio(title: str, clients: int, other: str) -> float:
        case = (title, clients)
        return statistics.median(by_name[OWN].rates[case]) / statistics.median(by_name[other].rates[case])

    predict, batch = ("predict", 16), ("batch of 100", 8)
    limit, tuned, naive = (rival.name for rival in NEAR)
    own = by_name[OWN]
    added = statistics.median(by_name[BEHIND].p50["predict", 1]) - statistics.median(own.p50["predict", 1])
    rows = [
        ("predict, 16 clients, of the limit", f"{ratio(*predict, limit):.2f}", "0.50", ratio(*predict, limit) >= 0.5),
        ("predict, of hand-tuned FastAPI", f"{ratio(*predict, tuned):.2f}", "1.0", ratio(*predict, tuned) >= 1),
        ("predict, of naive FastAPI", f"{ratio(*predict, naive):.1f}", "20", ratio(*predict, naive) >= 20),
        ("batch of 100, 8 clients, of hand-tuned FastAPI", f"{ratio(*batch, tuned):.2f}", "1.2", ratio(*batch, tuned) >= 1.2),  # noqa: E501
        ("batch of 100, of naive FastAPI", f"{ratio(*batch, naive):.0f}", "100", ratio(*batch, naive) >= 100),
        ("bets/s a core, batches", f"{100 * statistics.median(own.rates[batch]):,.0f}", "60,000", statistics.median(own.rates[batch]) >= 600),  # noqa: E501
        ("predict p95 ms, 16 clients", f"{statistics.median(own.p95[predict]):.2f}", "below 3", statistics.median(own.p95[predict]) < 3),  # noqa: E501
        ("Nginx adds ms at p50, 1 client", f"{added:.2f}", "below 0.3", added < 0.3),
        ("memory of the worker MiB", f"{own.memory_mib:.0f}", "below 200", own.memory_mib < 200),
        ("ready after s", f"{own.start_s:.1f}", "below 2", own.start_s < 2),
    ]  # fmt: skip
    stock = next((one.name for one in contestants if one.name == FAR[0].name), None)
    if stock:
        rows.insert(3, ("predict, of stock BentoML", f"{ratio(*predict, stock):.1f}", "2", ratio(*predict, stock) >= 2))
    lines = ["### Targets", "", "| | measured | target | |", "|---|---|---|---|"]
    return "\n".join(
        lines + [f"| {what} | {figure} | {aim} | {'met' if met else '**missed**'} |" for what, figure, aim, met in rows]
    )


def plot(contestants: Sequence[Contestant]) -> str:
    """Bets per second of each, for single bets and for batches, as SVG; the scale is logarithmic."""
    bars = []
    top = 60
    for title, clients, bets in (("predict", 16, 1), ("batch of 100", 8, 100)):
        bars.append(f'<text x="10" y="{top}" font-weight="bold">{title}, {clients} clients: bets/s</text>')
        for one in sorted(contestants, key=lambda one: -statistics.median(one.rates[title, clients])):
            top += 22
            rate = statistics.median(one.rates[title, clients]) * bets
            width = 80 * math.log10(max(rate, 10)) - 80
            colour = "#2f6f4f" if one.name.startswith("this") else "#9aa5b1"
            bars.append(
                f'<text x="290" y="{top}" text-anchor="end">{one.name}</text>'
                f'<rect x="300" y="{top - 12}" width="{width:.0f}" height="15" fill="{colour}"/>'
                f'<text x="{306 + width:.0f}" y="{top}">{rate:,.0f}</text>'
            )
        top += 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{top}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>'
        '<text x="10" y="26" font-size="16">What one core grades (logarithmic)</text>' + "".join(bars) + "</svg>\n"
    )


def main() -> None:
    """Start everything, load it, write the results."""
    if shutil.which("wrk") is None or not hasattr(os, "sched_setaffinity"):
        sys.exit("this needs Linux and wrk: apt-get install wrk")
    for rival in (*NEAR, *FAR):
        environment(rival.packages)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, {0})
        with Server(folder, ACCESS_LOG=0):
            pass  # imports the models once, as an installation does
        with Server(folder, ACCESS_LOG=0) as server, ExitStack() as stack:
            os.sched_setaffinity(0, {1})  # wrk and this process: the second core
            own = Contestant(OWN, server.url, [server.pid], server.ready_after)
            url, pid = stack.enter_context(nginx(server.url, folder))
            behind = Contestant(BEHIND, url, [server.pid, pid], server.ready_after)
            limit, *others = [stack.enter_context(running(rival, folder)) for rival in NEAR]
            contestants = [limit, own, behind, *others]
            run(contestants)
        for rival in FAR:  # alone: some of them have a dozen processes that never rest
            with running(rival, folder) as far:
                run([far], 2)
                contestants.append(far)
    head = (
        "# What a graded bet costs\n\n"
        "Made by `make bench`: one worker each, all servers on one core, wrk on the other; "
        f"{ROUNDS} interleaved rounds of {SECONDS} s (2 for those by the book, each alone), medians. The rivals do "
        "less: no history, no checks of odds, no metrics, no request ids, no reload.\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; rivals: {versions()}.\n\n"
        "![bets per second](results.svg)\n\n"
    )
    text = head + targets(contestants) + "\n" + table(contestants)
    (root() / "benchmarks/results.svg").write_text(plot(contestants), encoding="utf-8")
    notes = root() / "benchmarks/FLOOR.md"
    if notes.is_file():
        text += "\n\n" + notes.read_text(encoding="utf-8").strip()
    (root() / "benchmarks/RESULTS.md").write_text(text + "\n", encoding="utf-8")
    print(text)


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


if __name__ == "__main__":
    main()

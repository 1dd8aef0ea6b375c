"""Keep-alive clients that never retry, while everything is switched that can be switched."""

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from deploy.proxy.local import LocalNginx
from deploy.proxy.nginx import Router
from tests.support.deploy_load import Tally, load
from tests.support.deploy_rig import Rig

pytestmark = pytest.mark.system

REQUESTS = int(os.environ.get("PIKKIT_REQUESTS", "5000"))  # `make storm` sends 100,000
SWITCHES = 100
CLIENTS = 64
PAUSE_S = max(0.05, 1250 / REQUESTS)  # mostly idle connections, as clients have; what is switched needs the processor
WEIGHTS = (10, 25, 50, 0)
COMMANDS = (
    ("promote", "--force"),
    ("rollback",),
    ("deploy", "--version", "4"),
    ("rollback",),
    ("canary", "--version", "3", "--weight", "50"),
    ("abort",),
)


def under_load(rig: Rig, script: Callable[[Tally], Awaitable[None]], kinds: Sequence[str]) -> Tally:
    tally = Tally()

    async def both() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(load(rig.port, tally, stop, kinds=kinds, clients=CLIENTS, pause=PAUSE_S))
        try:
            await script(tally)
        finally:
            stop.set()
            await running

    asyncio.run(both())
    return tally


def test_no_request_of_thousands_fails_while_a_hundred_switches_happen(tmp_path: Path) -> None:
    with Rig(tmp_path, DEPLOY_ACCESS_LOG="false") as rig:
        rig.release("1", "2", "3", "4")
        rig.run("up", "--version", "1")
        rig.run("deploy", "--version", "2")
        rig.run("canary", "--version", "3", "--weight", "10")
        router = rig.stack().router
        switches = 0

        async def switch_all_the_time(tally: Tally) -> None:
            nonlocal switches
            route = router.get()
            assert route is not None
            for number in itertools.count():
                colour = ("blue", "green")[number % 2]
                route = route.moved(production=colour, weight=WEIGHTS[number % 4], canary=True, spare=None)
                await asyncio.to_thread(router.set, route)
                switches += 1
                if switches >= SWITCHES and tally.requests >= REQUESTS * 0.85:
                    break
                await asyncio.sleep(0.05)
            for command in COMMANDS:
                await asyncio.to_thread(rig.run, *command)
                switches += 1
            for _ in range(3000):
                if tally.requests >= REQUESTS:
                    break
                await asyncio.sleep(0.1)

        tally = under_load(rig, switch_all_the_time, ("post", "post", "get", "batch"))
        assert tally.failures == {}
        assert tally.requests >= REQUESTS
        assert switches >= SWITCHES
        assert set(tally.served) == {"blue", "green", "canary"}


def test_the_same_harness_sees_failures_of_plain_rewrite_and_reload(tmp_path: Path) -> None:
    with Rig(tmp_path, DEPLOY_ACCESS_LOG="false") as rig:
        rig.release("1", "2")
        rig.run("up", "--version", "1")
        rig.run("deploy", "--version", "2")
        router = rig.stack().router
        assert isinstance(router, Router)
        assert isinstance(router.process, LocalNginx)
        config = router.folder / "nginx.conf"
        plain = config.read_text().replace("keepalive_min_timeout 5s;", "")
        master = router.process.master()
        assert master is not None

        async def rewrite_and_reload(tally: Tally) -> None:
            for number in itertools.count():
                colour = ("blue", "green")[number % 2]
                config.write_text(plain.replace("proxy_pass http://$group;", f"proxy_pass http://{colour};"))
                os.kill(master.pid, signal.SIGHUP)
                await asyncio.sleep(0.4)
                if tally.failed and len(tally.served) > 1:
                    break

        tally = under_load(rig, rewrite_and_reload, ("post",))
        assert tally.failed > 0
        assert set(tally.failures) <= {"ConnectionResetError", "IncompleteReadError", "BrokenPipeError"}
        assert set(tally.served) == {"blue", "green"}

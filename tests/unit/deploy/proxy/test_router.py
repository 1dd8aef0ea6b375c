"""The router over an Nginx that only counts what is done to it."""

import re
from pathlib import Path
from typing import Any

import pytest

from deploy.proxy.nginx import Router
from deploy.proxy.process import NginxProcess
from deploy.settings import DeploySettings
from tests.support.deploy_fakes import FakeClock
from tests.support.disk import full_disk
from tests.support.ports import free_block


class Counted(NginxProcess):
    foreground = False

    def __init__(self, settings: DeploySettings) -> None:
        super().__init__(settings, FakeClock())
        self.up = False
        self.done: list[str] = []

    def running(self) -> bool:
        return self.up

    def wanted(self) -> bool:
        return True

    def stop(self, *, grace_s: float) -> None:
        self.up = False

    def _ask(self, *arguments: str) -> str:
        self.done.append(arguments[-1])
        return "nginx version: nginx/1.29.0"

    def _begin(self) -> None:
        self.done.append("start")
        self.up = True

    def _mark(self) -> None:
        """Nothing is logged."""

    def _log_lines(self) -> list[str]:
        return []

    def _signal(self, name: str) -> None:
        self.done.append(name)


PORT = free_block()


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """One that tells the structure of the configuration that lies there when it is started or reloaded."""
    made = Counted(DeploySettings(run_dir=tmp_path, base_port=PORT))

    def told(_: Router) -> dict[str, Any]:
        found = re.search(r"Structure (\w+)", made.config.read_text())
        return {"structure": found[1]} if found and made.up else {}

    monkeypatch.setattr(Router, "_told", told)
    return made


def test_a_dead_nginx_with_the_configuration_that_lies_there_is_started_on_a_full_disk_too(
    tmp_path: Path, process: Counted
) -> None:
    router = Router(DeploySettings(run_dir=tmp_path, base_port=PORT), FakeClock(), process)
    router.reconcile()
    assert process.done == ["-V", "-t", "start"]
    process.up = False
    with full_disk():
        router.reconcile()
        assert process.done == ["-V", "-t", "start", "start"]
        router.reconcile()  # nothing to do
        with pytest.raises(OSError, match="File too large"):
            Router(DeploySettings(run_dir=tmp_path, base_port=PORT, rate_limit=1), FakeClock(), process).reconcile()
    assert process.done == ["-V", "-t", "start", "start"]

"""Prometheus' own tools read what is in monitoring/."""

import subprocess

import pytest

from tests.support.need import need, root

pytestmark = pytest.mark.system
FOLDER = root() / "monitoring"


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_every_rule() -> None:
    told = _run(need("promtool"), "check", "config", "prometheus/prometheus.yml")
    assert told.count("SUCCESS") >= 3


def test_every_alert_fires_and_stays_silent_when_it_should() -> None:
    _run(need("promtool"), "test", "rules", "prometheus/tests/alerts.yml")


def test_alertmanager_accepts_its_example() -> None:
    told = _run(need("amtool"), "check-config", "alertmanager/alertmanager.example.yml")
    assert "SUCCESS" in told

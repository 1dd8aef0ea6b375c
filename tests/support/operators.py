"""The real Alertmanager with the repository's example of a configuration, and what its receivers are told."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.need import need, root
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.receiver import StandIn

ALERTMANAGER = root() / "monitoring/alertmanager/alertmanager.example.yml"
_TOLD = re.compile(r"(Resolved: )?(\w+) \((\w+)\)\n(.*)\n(\S+)")
_OK = json.dumps({"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}).encode()


@dataclass(frozen=True)
class Told:
    """One alert as a person reads it in Telegram."""

    alert: str
    severity: str
    summary: str
    runbook: str
    resolved: bool
    silent: bool


class Operators:
    """Stand-ins for Telegram and n8n; `url` is the Alertmanager's that tells them."""

    def __init__(self) -> None:
        self.telegram = StandIn(lambda _call: (200, {}, _OK))
        self.n8n = StandIn()
        self.url = ""

    def told(self) -> list[Told]:
        """Everything that came to Telegram, in order."""
        return [
            Told(alert, severity, summary, runbook, bool(resolved), bool(call.json.get("disable_notification")))
            for call in list(self.telegram.calls)
            for resolved, alert, severity, summary, runbook in _TOLD.findall(call.json["text"])
        ]

    def hooked(self) -> dict[str, set[str]]:
        """Names of alerts by the path of n8n's webhook that they came to."""
        found: dict[str, set[str]] = {}
        for call in list(self.n8n.calls):
            found.setdefault(call.path, set()).update(alert["labels"]["alertname"] for alert in call.json["alerts"])
        return found


@contextmanager
def operators(folder: Path, *, wait: str = "1s", interval: str = "1s") -> Iterator[Operators]:
    """A running Alertmanager that waits shorter than by its configuration."""
    config = yaml.safe_load(ALERTMANAGER.read_text())
    port = free_port()
    made = Operators()
    with made.telegram, made.n8n:
        for receiver in config["receivers"]:
            for entry in receiver.get("telegram_configs", []):
                entry.update(api_url=made.telegram.url, bot_token="1:token")
            for entry in receiver.get("webhook_configs", []):
                entry["url"] = f"{made.n8n.url}/{receiver['name']}"
        for route in (config["route"], *config["route"]["routes"]):
            route.update(group_wait=wait, group_interval=interval)
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        command = [
            need("prometheus-alertmanager"),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        made.url = f"http://127.0.0.1:{port}"
        with Process(command, log=folder / "alertmanager.log") as process:
            process.wait_until_http(f"{made.url}/-/ready")
            yield made

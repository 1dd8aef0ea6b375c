"""CONTRIBUTING.md by example: on a copy, exactly the files that it names are changed, and the change works."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.need import root

pytestmark = pytest.mark.system


def named(title: str, **names: str) -> set[str]:
    """The files that the numbered steps under a title begin with, a name put in for `<name>`."""
    text = (root() / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    files = re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)
    for placeholder, name in names.items():
        files = [file.replace(f"<{placeholder}>", name) for file in files]
    return set(files)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", root(), folder], check=True)
    return folder


def change(folder: Path, edits: Mapping[str, tuple[str, str]]) -> set[str]:
    """Put each text before the first place of another (at the end where there is none); the files that then differ."""
    for name, (place, text) in edits.items():
        file = folder / name
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        assert place in before, f"{name} has no {place!r}"
        head, _, tail = before.partition(place) if place else (before, "", "")
        file.write_text(f"{head}{text}{place}{tail}", encoding="utf-8")
    done = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line[3:] for line in done.stdout.splitlines()}


def passes(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


FEATURE = {
    "pikkit/features/table.py": (
        '    Feature(\n        "is_live",',
        """    Feature(
        "is_underdog",
        lambda value, _row: "an underdog" if value else "a favourite",
        lambda facts: facts.implied < 0.5,
    ),
""",
    ),
    "tests/unit/features/test_table.py": (
        "",
        """

def test_an_underdog_is_known_by_its_price_alone_and_among_others() -> None:
    spec = FeatureSpec.from_metadata({"features": ["is_underdog"], "encoders": {}})
    assert [features(History.empty(), spec, odds=odds) for odds in (150.0, -150.0)] == [
        {"is_underdog": 1.0},
        {"is_underdog": 0.0},
    ]
""",
    ),
}


def test_a_feature_is_a_row_and_a_case(clone: Path) -> None:
    assert change(clone, FEATURE) == named("Add a feature")
    passes(clone, "tests/unit/features/test_table.py", "-k", "underdog or named_described or one_by_one")


RECEIVER = {
    "pikkit/alerts/receivers/pager.py": (
        "",
        '''"""Alerts to a pager by its webhook."""

import httpx

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.port import later_or_refused, network_failure


class Pager:
    """Sends one request per alert."""

    channel = "pager"

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, alert: Alert) -> None:
        """Deliver the alert."""
        try:
            answer = httpx.post(self._url, json={"text": alert.payload["message"]})
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        if not answer.is_success:
            raise later_or_refused(answer.status_code, answer.headers, "")

    def close(self) -> None:
        """Nothing is kept open."""
''',
    ),
    "pikkit/alerts/building.py": (
        "    return None\n\n\ndef build_ledger",
        """    if settings.pager_url is not None:
        from pikkit.alerts.receivers.pager import Pager

        return Pager(str(settings.pager_url))
""",
    ),
    "pikkit/settings.py": (
        "    telegram_bot_token:",
        '    pager_url: HttpUrl | None = Field(None, description="Webhook of a pager")\n',
    ),
    "pikkit/telemetry/metrics.py": ('"telegram", "supabase")', '"pager", '),
    "README.md": ("| `TELEGRAM_BOT_TOKEN` |", "| `PAGER_URL` |  | Webhook of a pager |\n"),
    "tests/service/test_alert_receivers.py": (
        "",
        """

def test_a_pager_is_built_from_its_setting_and_gets_the_message() -> None:
    from pikkit.alerts.building import build_receiver
    from pikkit.settings import Settings

    with StandIn() as pager:
        receiver = build_receiver(Settings(pager_url=pager.url))
        assert receiver
        with closing(receiver):
            receiver.send(an_alert())
        [call] = pager.calls
    assert receiver.channel == "pager"
    assert call.json["text"]


def test_a_pager_that_is_down_is_asked_again() -> None:
    from pikkit.alerts.receivers.pager import Pager

    with StandIn(lambda _call: (503, {}, b"")) as pager, pytest.raises(Later):
        Pager(pager.url).send(an_alert())
""",
    ),
}


def test_a_receiver_is_a_module_a_choice_its_settings_and_its_channel(clone: Path) -> None:
    assert change(clone, RECEIVER) == named("Add a receiver of alerts", name="pager")
    passes(
        clone,
        "tests/service/test_alert_receivers.py",
        "tests/unit/test_readme.py",
        "-k",
        "pager or PAGER or configuration",
    )

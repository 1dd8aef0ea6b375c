import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.engine import COMPOSE_FILE, Engine
from deploy.errors import DeployError, UsageError
from deploy.files import names
from deploy.release.images import containerize_command, finish_command
from deploy.release.release import Release
from deploy.settings import DeploySettings
from deploy.slot import SLOTS
from deploy.slots.containers import DockerRuntime
from deploy.slots.port import Observed
from pikkit.settings import Settings
from tests.support.ports import free_block

RELEASE = Release("1.2.0", "tree", "c0ffee", "5ha", "20260101_000000", 0.0)
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine whose client is a script: it knows no image and no container, and notes how it was called."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Engine(tmp_path / "run", {"PATH": str(tmp_path / "bin")})


def _client(folder: Path, name: str, script: str) -> None:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {name} $* >> {folder}/calls\n{script}\n")
    path.chmod(0o755)


def _calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_slots_carry_the_names_that_operators_know_and_have_no_rights_to_spare() -> None:
    names = {service["container_name"] for service in SERVICES.values()}
    assert names == {
        *(f"pikkit-ml-api-{slot}" for slot in SLOTS),
        "pikkit-nginx-lb",
        *("pikkit-prometheus", "pikkit-alertmanager", "pikkit-grafana", "pikkit-dev"),
    }
    for service in SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["logging"]["options"]["max-size"]
    for slot in SLOTS:
        assert SERVICES[slot]["volumes"][1].endswith(f"/slots/{slot}/models:/app/models:ro")
        assert SERVICES[slot]["volumes"][2].endswith(f"/secrets/{slot}:/run/secrets:ro")
        assert SERVICES[slot]["restart"] == "no"  # a candidate is not started again
        assert "profiles" not in SERVICES[slot]


def test_an_image_is_labelled_with_its_version_commit_and_models() -> None:
    assert containerize_command(RELEASE, "pikkit-ml-api:x", ("--network", "host"))[-3:] == [
        *("pikkit-ml-api:x", "--network", "host"),
    ]
    line = " ".join(finish_command(RELEASE, "pikkit-ml-api:1.2.0", "b:1", "python:3.13-slim@sha256:00", ()))
    assert "--build-arg BASE_IMAGE=python:3.13-slim@sha256:00" in line
    assert "--label org.opencontainers.image.version=1.2.0" in line
    assert "--label org.opencontainers.image.revision=c0ffee" in line
    assert "--label pikkit.models.version=20260101_000000" in line


def test_without_docker_the_remedy_is_told(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="install Docker"):
        engine.has_image("any")
    _client(tmp_path, "docker", "exit 1")
    with pytest.raises(UsageError, match="there is no Compose"):
        engine.up("blue", {})


def test_compose_is_told_all_slots_of_which_one_is_started(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", '[ "$1" = compose ]')
    engine.up("blue", {"BLUE_IMAGE": "pikkit-ml-api:1"})
    engine.up("green", {"GREEN_IMAGE": "pikkit-ml-api:2"})
    assert engine.variables() == {
        "BLUE_IMAGE": "pikkit-ml-api:1",
        "GREEN_IMAGE": "pikkit-ml-api:2",
        "RUN_DIR": str(tmp_path / "run"),
        "SLOT_ENV_FILE": str(COMPOSE_FILE.with_name("none.env")),
    }
    assert _calls(tmp_path)[-1].endswith("up --detach --no-deps --force-recreate --no-build green")


def test_secrets_are_files_for_the_slot_alone_and_nothing_that_the_engine_shows(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "exit 0")
    root = tmp_path / "run"
    secret = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    told = {**dict.fromkeys((*secret, "N8N_WEBHOOK_URL"), "tell-nobody"), "LOG_LEVEL": "INFO"}
    own = {"DATA_DIR": "/srv", "DEPLOY_OVERRIDE_KEY": "not-the-slots"}
    settings = DeploySettings(run_dir=root, base_port=free_block())
    DockerRuntime(settings, engine, environment=told | own).start("blue", RELEASE, workers=1)
    assert (root / "slot.env").read_text() == "LOG_LEVEL=INFO\n"
    assert set(names(root / "secrets/blue")) == {*secret, "N8N_WEBHOOK_URL"}
    assert (root / "secrets").stat().st_mode & 0o777 == 0o700
    assert (root / "secrets/blue/API_KEYS").stat().st_mode & 0o777 == 0o644  # the container's user reads it
    DockerRuntime(settings, engine, environment={"API_KEYS": "another"}).start("blue", RELEASE, workers=1)
    assert {path.name: path.read_text() for path in (root / "secrets/blue").iterdir()} == {"API_KEYS": "another"}


def test_a_slots_workers_share_its_container_and_port(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "exit 0")
    settings = DeploySettings(run_dir=tmp_path / "run", base_port=free_block())
    runtime = DockerRuntime(settings, engine, environment={})
    runtime.start("green", RELEASE, workers=3)
    told = engine.variables()
    assert (told["GREEN_WORKERS"], told["GREEN_PORT"]) == ("3", str(settings.port("green")))
    assert runtime.base_url("green") == f"http://127.0.0.1:{settings.port('green')}"
    assert _calls(tmp_path)[-1].endswith("--no-build green")
    for slot in SLOTS:
        assert SERVICES[slot]["environment"]["WORKERS"] == f"${{{slot.upper()}_WORKERS:-1}}"
        assert SERVICES[slot]["labels"]["pikkit.workers"] == SERVICES[slot]["environment"]["WORKERS"]


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ({"Running": True, "Restarting": False, "Pid": 7}, (True, "1.2.0", 3, 7, True, 2)),
        ({"Running": True, "Restarting": True, "Pid": 0}, (False, "1.2.0", 3, None, True, 2)),
        ({"Running": False, "Restarting": False, "Pid": 0}, (False, "1.2.0", 3, None, True, 2)),
    ],
)
def test_what_a_slot_is_like_is_read_from_its_container(
    engine: Engine, tmp_path: Path, state: dict[str, Any], seen: tuple[Any, ...]
) -> None:
    labels = {"pikkit.version": "1.2.0", "pikkit.workers": "3"}
    told = {"State": state, "Config": {"Labels": labels}, "RestartCount": 2}
    told["HostConfig"] = {"RestartPolicy": {"Name": "unless-stopped"}}
    _client(tmp_path, "docker", f"echo '{json.dumps([told])}'")
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    assert runtime.observe("blue") == Observed("blue", *seen)


def test_a_slot_is_stopped_only_where_it_runs_and_is_not_started_again_then(engine: Engine, tmp_path: Path) -> None:
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    for running, ended in ((True, ["docker stop --time 40 pikkit-ml-api-blue"]), (False, [])):
        told = json.dumps([{"State": {"Running": running, "Restarting": False}}])
        _client(tmp_path, "docker", f"echo '{told}'")
        (tmp_path / "calls").unlink(missing_ok=True)
        runtime.stop("blue", grace_s=40)
        assert _calls(tmp_path)[1:] == ["docker update --restart no pikkit-ml-api-blue", *ended]


def test_a_slots_log_is_followed_until_enough_was_seen(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "echo one; echo two >&2; exec /bin/sleep 3600")
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    with contextlib.closing(runtime.follow("blue")) as lines:  # type: ignore[type-var]
        assert list(itertools.islice(lines, 2)) == ["one", "two"]
    assert _calls(tmp_path)[-1] == "docker logs --follow --tail 0 pikkit-ml-api-blue"


def test_a_release_without_an_image_is_not_started_and_an_empty_slot_is_no_error(
    engine: Engine, tmp_path: Path
) -> None:
    _client(tmp_path, "docker", "echo Error: No such object: $3 >&2; exit 1")
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    with pytest.raises(DeployError, match=r"no image pikkit-ml-api:1\.2\.0"):
        runtime.start("blue", RELEASE, workers=1)
    runtime.stop("blue", grace_s=1)
    assert not runtime.observe("blue").running
    assert not runtime.log_lines("blue", 5)
    with pytest.raises(DeployError, match="nothing is known"):
        runtime.revive("blue")


def test_an_engine_that_does_not_answer_is_not_taken_for_an_empty_one(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "echo Cannot connect to the Docker daemon >&2; exit 1")
    with pytest.raises(DeployError, match="does not answer: Cannot connect"):
        engine.inspect("pikkit-nginx-lb")
    with pytest.raises(DeployError, match="does not answer: Cannot connect"):
        engine.has_image("any")


def test_a_stack_in_another_folder_is_not_meddled_with(engine: Engine, tmp_path: Path) -> None:
    own = tmp_path / "run"
    _client(tmp_path, "docker", f"echo pikkit-nginx-lb {own}/nginx; echo pikkit-ml-api-blue pikkit_data,{own}/slots")
    engine.check_home()
    _client(tmp_path, "docker", "echo pikkit-nginx-lb /home/ann/.pikkit/nginx")
    with pytest.raises(UsageError, match=r"reads /home/ann/.pikkit/nginx, .* set DEPLOY_RUN_DIR"):
        engine.check_home()


@pytest.mark.parametrize("host", ["ssh://deploy@web1", "tcp://web1:2375"])
def test_the_engine_of_another_machine_is_refused_with_the_way_there(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match=r"run `python -m deploy` on that machine"):
        Engine(tmp_path, {"DOCKER_HOST": host})

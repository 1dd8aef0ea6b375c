import contextlib
import itertools
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
from deploy.slots.containers import DockerRuntime, containers
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
        engine.up(["blue"], {})


def test_compose_is_told_all_slots_of_which_one_is_started(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", '[ "$1" = compose ]')
    engine.up(["blue"], {"BLUE_IMAGE": "pikkit-ml-api:1"})
    engine.up(["green"], {"GREEN_IMAGE": "pikkit-ml-api:2"})
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


def test_replicas_are_services_like_the_first_with_a_port_of_their_own(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "exit 0")
    settings = DeploySettings(run_dir=tmp_path / "run", base_port=free_block(30))
    DockerRuntime(settings, engine, environment={}).start("blue", RELEASE, workers=3)
    told = yaml.safe_load((tmp_path / "run/compose.replicas.json").read_text())["services"]
    assert {name: service["environment"]["PORT"] for name, service in told.items()} == {
        "blue-2": str(settings.port("blue") + 10),
        "blue-3": str(settings.port("blue") + 20),
    }
    assert told["blue-2"]["extends"] == {"file": str(COMPOSE_FILE), "service": "blue"}
    assert [service["container_name"] for service in told.values()] == containers("blue", 3)[1:]
    assert _calls(tmp_path)[-1].endswith("--no-build blue blue-2 blue-3")


def test_gates_and_proxy_know_every_replica(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", '[ "$1" = compose ]')
    engine.up(["green", "green-2"], {"GREEN_PORT": "8002", "GREEN_REPLICAS": "2"})
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    assert runtime.addresses() == {
        "blue": ("127.0.0.1:8001",),
        "green": ("127.0.0.1:8002", "127.0.0.1:8012"),
        "canary": ("127.0.0.1:8003",),
    }
    assert runtime.base_urls("green") == ("http://127.0.0.1:8002", "http://127.0.0.1:8012")


def test_a_slot_is_resized_by_starting_what_is_missing_and_ending_what_is_left_over(
    engine: Engine, tmp_path: Path
) -> None:
    there = '*inspect*blue|*inspect*blue-2) echo "[{\\"State\\": {\\"Running\\": true}}]" ;;'
    absent = '*inspect*) echo "no such container" >&2; exit 1 ;;'
    listed = "ps*label=pikkit.slot=blue*) echo pikkit-ml-api-blue; echo pikkit-ml-api-blue-2 ;;"
    _client(tmp_path, "docker", f'case "$*" in {there} {absent} {listed} esac')
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={"A": "1"})
    engine.up([], {"BLUE_PORT": "8001", "BLUE_REPLICAS": "1"})
    runtime.resize("blue", 4)
    assert _calls(tmp_path)[-1].endswith("--force-recreate --no-build blue-3 blue-4")
    assert len(runtime.addresses()["blue"]) == 4
    runtime.resize("blue", 1)
    assert runtime.addresses()["blue"] == ("127.0.0.1:8001",)
    assert _calls(tmp_path)[-1].startswith("docker container inspect")  # nothing is ended before the proxy knows
    runtime.trim("blue", after_s=0, grace_s=40)
    assert _calls(tmp_path)[-3:] == [
        "docker update --restart no pikkit-ml-api-blue-2",
        "docker stop --time 40 pikkit-ml-api-blue-2",
        "docker rm --force pikkit-ml-api-blue-2",
    ]


def test_the_logs_of_all_replicas_are_followed_until_enough_was_seen(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", 'if [ "$2" = version ]; then exit; fi; echo one; echo two; exec /bin/sleep 3600')
    with contextlib.closing(engine.follow(["blue", "blue-2"])) as lines:
        assert list(itertools.islice(lines, 2)) == ["one", "two"]
    assert _calls(tmp_path)[-1].endswith("logs --follow --tail 0 --no-color blue blue-2")
    with contextlib.closing(engine.follow(["blue"])) as lines:
        assert next(lines) == "one"
    assert "--no-log-prefix" in _calls(tmp_path)[-1]


def test_more_replicas_than_ports_are_set_aside_for_are_refused(engine: Engine, tmp_path: Path) -> None:
    _client(tmp_path, "docker", "exit 0")
    runtime = DockerRuntime(DeploySettings(run_dir=tmp_path / "run"), engine, environment={})
    with pytest.raises(DeployError, match="21 replicas of blue are over 20"):
        runtime.start("blue", RELEASE, workers=21)


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

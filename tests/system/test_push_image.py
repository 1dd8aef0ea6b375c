"""The pipeline's push, with a real registry on loopback and a real engine."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.need import need, root
from tests.support.ports import free_port
from tests.support.processes import Process

pytestmark = [pytest.mark.system, pytest.mark.engine]

TAG = "pikkit-ml-api:9.9.9"
TOKEN = "throw-away"
HASHED = "$2b$04$u42R9Hcp4OJk7nwRVB99yODhST5cPjZHqxZ34ecW3NAU6ThQBd2Xq"


@dataclass
class Registry:
    address: str
    folder: Path
    engine: Engine

    def push(self, *, token: str = TOKEN, registry: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            **self.engine.environment,
            "REGISTRY": registry or self.address,
            "IMAGE_NAME": "Owner/Name",
            "REGISTRY_USER": "pusher",
            "REGISTRY_TOKEN": token,
            "DIST": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
        }
        line = ["make", "--no-print-directory", "push-image"]
        return subprocess.run(
            line, cwd=root(), env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def outputs(self) -> dict[str, str]:
        file = self.folder / "output"
        return dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}


@pytest.fixture
def registry(container_engine: Engine, tmp_path: Path) -> Iterator[Registry]:
    program = need("docker-registry")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY image.json /\n")
    (tmp_path / "image.json").write_text(json.dumps({"tag": TAG}))
    container_engine.docker("build", "--tag", TAG, str(tmp_path))
    (tmp_path / "htpasswd").write_text(f"pusher:{HASHED}\n")
    port = free_port()
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path / 'store'}\n"
        f"http:\n  addr: 127.0.0.1:{port}\nauth:\n  htpasswd:\n    realm: test\n    path: {tmp_path / 'htpasswd'}\n"
    )
    process = Process([program, "serve", tmp_path / "registry.yml"], log=tmp_path / "registry.log")
    try:
        process.wait_until_http(f"http://127.0.0.1:{port}/", seconds=20)
        yield Registry(f"127.0.0.1:{port}", tmp_path, container_engine)
    finally:
        process.stop()


def test_an_image_is_pushed_and_had_back_by_the_digest_that_was_told(registry: Registry) -> None:
    done = registry.push()
    assert done.returncode == 0, done.stdout + done.stderr
    told = registry.outputs()
    name = f"{registry.address}/owner/name"
    assert (told["name"], told["tag"]) == (name, f"{name}:9.9.9")
    pinned = f"{name}@{told['digest']}"
    assert done.stdout.splitlines()[-1] == pinned
    config = f"--config={registry.folder / 'docker'}"
    image = registry.engine.docker("image", "inspect", "--format", "{{.Id}}", TAG)
    registry.engine.docker("image", "rm", "--force", told["tag"], TAG)
    registry.engine.docker(config, "pull", "--quiet", pinned)
    assert registry.engine.docker("image", "inspect", "--format", "{{.Id}}", pinned) == image


@pytest.mark.parametrize(("token", "there"), [("another", True), (TOKEN, False)])
def test_without_a_push_no_digest_is_told(registry: Registry, token: str, *, there: bool) -> None:
    done = registry.push(token=token, registry="" if there else f"127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert ("401 Unauthorized" if there else "connection refused") in done.stderr
    assert registry.outputs() == {}
    assert token not in done.stdout + done.stderr

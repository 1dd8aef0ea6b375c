"""A release's image goes to a real registry by digest, and comes back as it was."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.engine import Engine, engine
from tests.support.need import root
from tests.support.registry import PASSWORD, USER, Registry

pytestmark = [pytest.mark.system, pytest.mark.engine]

OWN = "owner/pikkit"
VERSION = "3.2.1"
COMMIT = "c0ffee" + "0" * 34


@dataclass
class Done:
    code: int
    told: str
    outputs: dict[str, str] = field(default_factory=dict)


class Desk:
    """What `make image` leaves behind, here of an image that is nothing but labels, and who pushes it."""

    def __init__(self, engine: Engine, registry: Registry, folder: Path) -> None:
        self.engine, self.registry, self.folder = engine, registry, folder
        self.build(VERSION)

    def build(self, version: str, *, commit: str = COMMIT, more: str = "first") -> str:
        """Build the version; gives the image's id."""
        tag = f"pikkit-ml-api:{version}"
        (self.folder / "more").write_text(more)
        revision = f"org.opencontainers.image.revision={commit}"
        (self.folder / "Dockerfile").write_text(f"FROM scratch\nLABEL {revision}\nCOPY more /\n")
        self.engine.docker("build", "--tag", tag, str(self.folder))
        made = self.engine.docker("image", "inspect", "--format", "{{.Id}}", tag)
        self.tell(tag=tag, id=made, commit=commit)
        return made

    def tell(self, **changes: object) -> None:
        """Change what image.json says."""
        file = self.folder / "image.json"
        said = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**said, **changes}))

    def run(self, step: str, **environment: str) -> Done:
        outputs = self.folder / "outputs"
        outputs.unlink(missing_ok=True)
        done = subprocess.run(
            ["make", "--no-print-directory", f"{step}-image"],
            cwd=root(),
            env={
                **os.environ,
                **self.engine.environment,
                "DIST": str(self.folder),
                "DOCKER_CONFIG": str(self.folder / "docker"),
                "GITHUB_OUTPUT": str(outputs),
                "REGISTRY": self.registry.name,
                "IMAGE_NAME": "Owner/Pikkit",
                "REGISTRY_USER": USER,
                "REGISTRY_TOKEN": PASSWORD,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = outputs.read_text().splitlines() if outputs.exists() else []
        return Done(done.returncode, done.stdout, dict(line.split("=", 1) for line in lines))

    def tags(self) -> dict[str, str]:
        return self.registry.tags(OWN)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    started = Registry(tmp_path_factory.mktemp("registry") / "own")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def bare_engine() -> Iterator[Engine]:
    with engine() as running:
        yield running


@pytest.fixture
def desk(bare_engine: Engine, registry: Registry, tmp_path: Path) -> Desk:
    return Desk(bare_engine, registry, tmp_path)


@pytest.fixture(scope="module")
def digest(bare_engine: Engine, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the image, pushed and tagged once."""
    desk = Desk(bare_engine, registry, tmp_path_factory.mktemp("desk"))
    done = desk.run("push")
    assert done.code == 0, done.told
    found = done.outputs["digest"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", found)
    assert done.told.strip() == f"{registry.name}/{OWN}@{found}"
    assert done.outputs == {
        "name": f"{registry.name}/{OWN}",
        "digest": found,
        "new": "true",
        "tag": f"{registry.name}/{OWN}:{VERSION}",
    }
    tags = desk.tags()
    assert set(tags.values()) == {found}
    assert VERSION not in tags  # what was not checked yet has no version
    done = desk.run("tag", DIGEST=found, GITHUB_STEP_SUMMARY=str(desk.folder / "summary"))
    assert done.code == 0, done.told
    assert desk.tags()[VERSION] == found
    assert found in (desk.folder / "summary").read_text()
    return found


def test_an_engine_without_the_image_gets_the_same_by_digest_and_by_version(desk: Desk, digest: str) -> None:
    made = json.loads((desk.folder / "image.json").read_text())["id"]
    desk.registry.login(desk.folder / "docker")
    for name in (f"{desk.registry.name}/{OWN}@{digest}", f"{desk.registry.name}/{OWN}:{VERSION}"):
        desk.engine.docker("image", "rm", "--force", made)
        assert made not in desk.engine.docker("images", "--all", "--no-trunc", "--quiet")
        desk.engine.docker(f"--config={desk.folder / 'docker'}", "pull", "--quiet", name)
        seen = json.loads(desk.engine.docker("image", "inspect", name))[0]
        assert seen["Id"] == made
        assert seen["Config"]["Labels"]["org.opencontainers.image.revision"] == COMMIT


def test_a_repeated_run_tells_the_digest_that_was_checked_and_moves_nothing(desk: Desk, digest: str) -> None:
    before = desk.tags()
    done = desk.run("push")
    assert done.code == 0, done.told
    assert (done.outputs["digest"], done.outputs["new"]) == (digest, "false")
    assert desk.run("tag", DIGEST=digest).code == 0
    assert desk.tags() == before


def test_a_rebuild_of_the_same_commit_leaves_the_version_where_it_is(desk: Desk, digest: str) -> None:
    before = desk.tags()
    desk.build(VERSION, more="as a build never is twice the same")
    done = desk.run("push")
    assert done.code == 0, done.told
    assert (done.outputs["digest"], done.outputs["new"]) == (digest, "false")
    assert desk.tags() == before


@pytest.mark.parametrize("commit", ["1" * 40, f"{COMMIT}-dirty"])
def test_a_version_of_another_commit_is_refused_before_anything_is_pushed(desk: Desk, digest: str, commit: str) -> None:
    before = desk.tags()
    desk.build(VERSION, commit=commit)
    done = desk.run("push")
    assert (done.code, done.outputs) == (2, {})
    assert "no version's tag moves: choose a new version" in done.told
    assert digest in done.told
    assert desk.tags() == before


def test_a_version_is_given_to_no_second_digest(desk: Desk, digest: str) -> None:
    before = desk.tags()
    done = desk.run("tag", DIGEST="sha256:" + "0" * 64)
    assert done.code == 2
    assert "no version's tag moves" in done.told
    assert digest in done.told
    assert desk.tags() == before
    done = desk.run("tag", DIGEST="")
    assert done.code == 2
    assert "what `push` told" in done.told


def test_a_digest_that_the_registry_lacks_gets_no_version(desk: Desk, digest: str) -> None:
    desk.build("3.2.2")
    before = desk.tags()
    done = desk.run("tag", DIGEST="sha256:" + "0" * 64)
    assert done.code == 2
    assert "not found" in done.told or "manifest unknown" in done.told
    assert desk.tags() == before
    assert digest in before.values()


def test_wrong_credentials_are_told_and_nothing_is_pushed(desk: Desk) -> None:
    before = desk.tags()
    done = desk.run("push", REGISTRY_TOKEN="another")
    assert (done.code, done.outputs) == (2, {})
    assert f"does not let {USER} in" in done.told
    assert "another" not in done.told
    done = desk.run("push", REGISTRY_TOKEN="", IMAGE_NAME="owner/closed")
    assert (done.code, done.outputs) == (2, {})
    assert "no basic auth credentials" in done.told
    assert (desk.tags(), desk.registry.tags("owner/closed")) == (before, {})


def test_an_image_that_is_not_the_one_in_image_json_is_not_pushed(desk: Desk) -> None:
    before = desk.tags()
    for change, words in (
        ({"id": "sha256:" + "0" * 64}, "make image again"),
        ({"tag": "pikkit-ml-api:9.9.9"}, "holds no image pikkit-ml-api:9.9.9"),
    ):
        desk.tell(**change)
        done = desk.run("push")
        assert (done.code, done.outputs) == (2, {})
        assert words in done.told
    (desk.folder / "image.json").unlink()
    done = desk.run("push")
    assert (done.code, done.outputs) == (2, {})
    assert "image.json: make image VERSION" in done.told
    assert desk.tags() == before


def test_a_registry_that_is_down_is_told_and_not_taken_for_an_empty_one(desk: Desk) -> None:
    desk.registry.stop()
    try:
        for environment in ({}, {"REGISTRY_TOKEN": ""}):
            done = desk.run("push", **environment)
            assert (done.code, done.outputs) == (2, {})
            assert "connection refused" in done.told
    finally:
        desk.registry.start()

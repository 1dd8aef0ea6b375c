"""Real Bentos of a small project: `bentoml build`, `bentoml serve` of the tag; models that are hot-reloaded.

That no request fails while Bentos are switched is the matter of test_deploy_product.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from deploy.compose import Composer
from deploy.errors import UsageError
from deploy.flow import operations
from deploy.release.bentos import BentoReleases
from deploy.slots.processes import serve_command
from tests.support.deploy_bento import make_models, make_project
from tests.support.deploy_rig import Rig, kill
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system


class BentoRig(Rig):
    """The rig with Bentos of a small project in place of bare stubs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.project = make_project(folder / "project")
        home = {"BENTOML_HOME": str(folder / "bentoml")}
        os.environ |= home
        self.store = BentoReleases(self.project, folder / "run/releases", home)
        self.composer = Composer(releases=lambda _: self.store, serve=serve_command)

    def model_dir(self, slot: str) -> Path:
        return self.run_dir / "slots" / slot / "models"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BentoRig]:
    before = os.environ.get("BENTOML_HOME")
    with BentoRig(tmp_path_factory.mktemp("bento")) as stack:
        stack.do(operations.deploy, "1.0")
        yield stack
    os.environ.pop("BENTOML_HOME")
    if before:
        os.environ["BENTOML_HOME"] = before


def labels(rig: BentoRig, version: str) -> dict[str, str]:
    told = yaml.safe_load((rig.folder / "bentoml/bentos/pikkit_ml_api" / version / "bento.yaml").read_text())
    return {str(name): str(value) for name, value in told["labels"].items()}


def test_a_release_is_a_bento_with_labels_that_tell_what_is_in_it(rig: BentoRig) -> None:
    release = rig.store.get("1.0")
    assert release is not None
    assert labels(rig, "1.0") == {
        "git_commit": release.commit,
        "tree_sha256": release.tree,
        "models_digest": release.models_digest,
        "models_version": "1",
    }
    assert rig.version() == "1.0"


def test_a_stack_beside_it_with_the_same_store_takes_the_bento_that_is_there(rig: BentoRig, tmp_path: Path) -> None:
    beside = BentoReleases(rig.project, tmp_path / "releases", {"BENTOML_HOME": str(rig.folder / "bentoml")})
    release, own = beside.build("1.0", None), rig.store.get("1.0")
    assert own is not None
    assert (release.tree, release.models_digest, release.golden) == (own.tree, own.models_digest, own.golden)
    beside.delete("1.0")
    assert beside.get("1.0") is None
    assert labels(rig, "1.0")["tree_sha256"] == own.tree  # it is the other's
    with pytest.raises(UsageError, match="of other code or models: choose a new version"):
        beside.build("1.0", make_models(tmp_path / "models", "9"))


def test_a_deployed_version_is_reused_and_a_changed_tree_under_it_refused(rig: BentoRig) -> None:
    built = rig.store.get("1.0")
    assert built is not None
    assert rig.store.build("1.0", None) == built
    service = rig.project / "service.py"
    text = service.read_text()
    service.write_text(text + "# changed\n")
    with pytest.raises(UsageError, match="built from other code"):
        rig.do(operations.deploy, "1.0")
    service.write_text(text)
    other = make_models(rig.folder / "other", "9")
    with pytest.raises(UsageError, match="holds model set 1, not 9"):
        rig.do(operations.deploy, "1.0", models=other)
    shutil.rmtree(other)


def test_a_dead_worker_or_master_leaves_no_process_when_the_slot_is_stopped(rig: BentoRig) -> None:
    rig.do(operations.canary, "1.0", weight=10)
    runtime = rig.stack().runtime
    pid = runtime.observe("canary").pid
    assert pid is not None
    children = psutil.Process(pid).children(recursive=True)
    record = rig.run_dir / "slots/canary/process.json"
    kept = record.read_bytes()
    record.unlink()
    seen = rig.stack().runtime.observe("canary")  # by its workers: its title has taken the place of its environment
    assert (seen.pid, seen.version, seen.workers) == (pid, "1.0", 1)
    record.write_bytes(kept)
    kill(pid)  # the master: its workers are orphans now
    rig.do(operations.abort)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def test_a_hot_reloaded_set_is_shown_and_no_command_silently_goes_back(rig: BentoRig) -> None:
    production = rig.stack().route().production
    newer = make_models(rig.folder / "newer", "5")
    for file in newer.iterdir():
        shutil.copy(file, rig.model_dir(production) / file.name)
    shown = rig.status()["slots"][production]
    assert shown["models"] == "5"
    assert shown["models_note"] == "hot-reloaded; the release's own is 1"
    with pytest.raises(UsageError, match="has the older 1"):
        rig.do(operations.deploy, "2.0")
    # a restart keeps the set
    runtime = rig.stack().runtime
    pid = runtime.observe(production).pid
    assert pid is not None
    kill(pid)
    assert runtime.heal(production)
    release = rig.store.get(str(runtime.observe(production).version))
    assert release is not None
    rig.stack().gates.serves(production, release, PATIENCE_S, own_models=False)
    assert rig.status()["slots"][production]["models"] == "5"
    # scaling moves to the other slot, with the set
    rig.do(operations.scale, production, 2)
    now = rig.stack().route().production
    assert now != production
    assert rig.status()["slots"][now]["models"] == "5"
    # and a release that has the set may go on
    rig.do(operations.deploy, "2.1", models=newer)
    assert rig.status()["slots"][rig.stack().route().production]["models_note"] is None

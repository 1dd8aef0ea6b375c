"""Which set serves: an explicit import, the files in MODEL_DIR, or the newest of the store."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bentoml
import pytest

from pikkit.models import activation, store
from pikkit.models.importing import golden_bets, import_models, served_locally
from pikkit.models.loading import load_set
from pikkit.models.shared_set import SharedSet
from pikkit.models.user_files import METADATA_FILE, WIN_FILE
from pikkit.settings import Settings
from tests.support.commands import python
from tests.support.converted import read_here
from tests.support.import_command import import_command, own_store
from tests.support.model_files import write_set


class Machine:
    """MODEL_DIR with set `old`, and a store that has the sets `old`, `new` and `other`, so that none is converted."""

    def __init__(self, folder: Path, sets: dict[str, Path]) -> None:
        self.sets = sets
        self.folder = folder
        self.models = folder / "models"
        shutil.copytree(sets["old"], self.models)

    def server(self, deployment: str) -> SharedSet:
        settings = Settings(_env_file=None, model_dir=self.models, deployment=deployment)
        return SharedSet(
            settings,
            self.folder / "runtime",
            threading.Event(),
            on_failure=lambda _code: None,
            on_success=lambda: None,
        )

    def put(self, name: str) -> None:
        """As `cp -p` does: with the times that the files have."""
        for file in self.sets[name].iterdir():
            shutil.copy2(file, self.models / file.name)

    def activate(self, name: str) -> None:
        import_models(self.sets[name], activate_beside=self.models)

    def take_away(self) -> None:
        shutil.rmtree(self.models)
        self.models.mkdir()


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> Iterator[None]:
    with read_here():
        yield


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("sets")
    found = {name: write_set(folder / name, name, seed=i) for i, name in enumerate(("old", "new", "other"))}
    stored = [import_models(found[name])[0] for name in ("old", "new", "other")]
    yield found
    for one in stored:
        shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture
def machine(tmp_path: Path, sets: dict[str, Path]) -> Iterator[Machine]:
    yield Machine(tmp_path, sets)
    for path in activation.home().glob("pikkit_active_import.json"):
        path.unlink()


def _damage(_machine: Machine) -> None:
    next(activation.home().glob("pikkit_active_import.json")).write_text('{"tag": 1')


def _touch(machine: Machine) -> None:
    (machine.models / METADATA_FILE).touch()


Step = Callable[[Machine], None]
IMPORT: Step = lambda machine: machine.activate("other")  # noqa: E731 - rows of a table
NEW: Step = lambda machine: machine.put("new")  # noqa: E731
OLD: Step = lambda machine: machine.put("old")  # noqa: E731
AWAY: Step = Machine.take_away
TABLE: dict[str, tuple[str, list[Step], str, str]] = {
    "nothing was imported": ("local", [], "MODEL_DIR", "old"),
    "an import outranks files that were there before": ("local", [IMPORT], "import", "other"),
    "files that change after it outrank the import": ("local", [IMPORT, NEW], "MODEL_DIR", "new"),
    "an import after that outranks them again": ("local", [IMPORT, NEW, IMPORT], "import", "other"),
    "the same content written again is no change": ("local", [IMPORT, _touch], "import", "other"),
    "the old files back: as at the import": ("local", [IMPORT, NEW, OLD], "import", "other"),
    "no files, an import": ("local", [AWAY, IMPORT], "import", "other"),
    "no files, no import: the newest of the store": ("local", [AWAY], "store", "other"),
    "an import whose record is damaged": ("local", [IMPORT, _damage], "MODEL_DIR", "old"),
    "blue knows no import": ("blue", [IMPORT], "MODEL_DIR", "old"),
    "canary neither": ("canary", [IMPORT], "MODEL_DIR", "old"),
    "blue follows its own files": ("blue", [IMPORT, NEW], "MODEL_DIR", "new"),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("restarted", [False, True], ids=["while it serves", "at the next start"])
def test_what_outranks_what(machine: Machine, name: str, *, restarted: bool) -> None:
    deployment, steps, source, version = TABLE[name]
    server = machine.server(deployment)
    if not restarted:
        for step in steps:
            if step is not AWAY:  # files that vanish while they serve stay what serves: below
                server.look(settle=False)
            step(machine)
    else:
        for step in steps:
            step(machine)
    server.look(settle=False, again=True)
    state = server.read()
    assert state.folder
    assert (state.source, load_set(Path(state.folder)).version) == (source, version)
    assert state.error is None
    if deployment == "local" and restarted:  # what commands grade with is what a server that starts now serves
        with served_locally(machine.models) as models:
            assert (models.source, models.version) == (source, version)


def test_files_that_vanish_are_no_reason_to_serve_an_older_import(machine: Machine) -> None:
    machine.activate("other")
    machine.put("new")
    server = machine.server("local")
    server.look(settle=False)
    machine.take_away()
    server.look(settle=False)
    assert (server.read().source, server.read().error is None) == ("MODEL_DIR", False)
    machine.activate("other")  # but a newer one is
    server.look(settle=False)
    assert (server.read().source, server.read().error) == ("import", None)


def test_half_a_set_in_model_dir_leaves_the_import_serving(machine: Machine) -> None:
    machine.activate("other")
    server = machine.server("local")
    server.look(settle=False)
    shutil.copy(machine.sets["new"] / WIN_FILE, machine.models / WIN_FILE)
    server.look(settle=False, again=True)
    assert server.read().source == "import"
    assert METADATA_FILE in str(server.read().error)


def test_a_deployed_slot_without_files_stays_with_the_set_it_found(machine: Machine, sets: dict[str, Path]) -> None:
    machine.take_away()
    server = machine.server("green")
    server.look(settle=False)
    before = server.read().folder
    stored, _ = import_models(sets["old"], tag="pikkit_bet_models:newest")
    try:
        server.look(settle=False, again=True)
    finally:
        shutil.rmtree(stored.folder)
    assert server.read().folder == before


def test_an_import_that_was_deleted_from_the_store_counts_no_more(machine: Machine, tmp_path: Path) -> None:
    gone, _ = import_models(write_set(tmp_path / "gone", "gone", seed=9), activate_beside=machine.models)
    shutil.rmtree(gone.folder)
    server = machine.server("local")
    server.look(settle=False)
    assert server.read().source == "MODEL_DIR"


def test_the_command_says_where_and_for_whom_and_imports_only_what_changed(
    tmp_path: Path, sets: dict[str, Path]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(sets["old"], models)
    with own_store() as home:
        told = import_command("--from", sets["other"], MODEL_DIR=models).output
        assert f"{home} (BENTOML_HOME)" in told
        assert f"local servers serve it from now on, until the files in {models} change" in told
        again = import_command("--if-changed", MODEL_DIR=models).output
        assert "pikkit_bet_models:other serves" in again
        assert "are as they were" in again
        (models / METADATA_FILE).write_text((models / METADATA_FILE).read_text() + "\n")
        changed = import_command("--if-changed", MODEL_DIR=models).output
        assert "pikkit_bet_models:old" in changed
        assert "local servers" not in changed


def test_the_stored_entry_reads_well_and_serves_the_same_elsewhere(tmp_path: Path, sets: dict[str, Path]) -> None:
    stored, models = import_models(sets["new"])
    info = bentoml.models.get(stored.tag).info
    assert set(info.signatures) == {"win_probability", "roi"}
    assert info.labels["version"] == "new"
    metadata: Any = info.metadata
    assert metadata["features"] == list(models.spec.names)
    assert metadata["files"]["win.ubj"]["bytes"] == (stored.folder / "win.ubj").stat().st_size
    assert metadata["files"]["win.ubj"]["sha256"] == models.manifest["files"]["win.ubj"]
    assert {"xgboost", "scikit-learn"} <= set(info.context.framework_versions)
    bentoml.models.export_model(stored.tag, str(tmp_path / "set.bentomodel"))
    there = python("-m", "bentoml", "models", "import", tmp_path / "set.bentomodel", BENTOML_HOME=tmp_path / "there")
    assert there.returncode == 0, there.stderr
    moved = load_set(tmp_path / "there/models/pikkit_bet_models/new")
    assert json.dumps(golden_bets(moved)) == json.dumps(golden_bets(models))
    beside = stored.folder.with_name("broken")
    beside.mkdir()
    (beside / "model.yaml").write_text("- whoever reads more than what is asked for stumbles over this")
    assert store.find(models.sha256) == store.find(models.sha256, stored.tag) == stored
    shutil.rmtree(beside)

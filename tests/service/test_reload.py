import asyncio
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pikkit.errors import ModelError
from pikkit.models import store
from pikkit.models.hub import ModelHub
from pikkit.models.importing import import_models
from pikkit.models.reading.whole_set import write
from pikkit.models.user_files import METADATA_FILE, ROI_FILE, WIN_FILE, take_copy
from pikkit.settings import Settings
from tests.support.converted import read_here
from tests.support.disks import no_room
from tests.support.hostile import corpus
from tests.support.model_files import write_set
from tests.support.need import root
from tests.support.waiting import eventually


class Bench:
    """A model folder and hubs that share a runtime folder, in which the sets `v1` and `v2` are converted already."""

    def __init__(self, folder: Path, made: Path) -> None:
        self.sets = {version: made / version for version in ("v1", "v2")}
        self.models = folder / "models"
        self.runtime = folder / "runtime"
        shutil.copytree(made / "runtime", self.runtime)
        self.failures: list[str] = []
        self.hubs: list[ModelHub] = []
        self.put("v1")

    def put(self, version: str) -> None:
        """Replace the files, keeping their old times, in a trainer's order."""
        self.models.mkdir(exist_ok=True)
        for name in (WIN_FILE, ROI_FILE, METADATA_FILE):
            shutil.copy2(self.sets[version] / name, self.models / name)

    def hub(self, **settings: object) -> ModelHub:
        made = Settings(_env_file=None, model_dir=self.models, **{"reload_interval": 0.5, **settings})  # type: ignore[arg-type]
        hub = ModelHub(made, self.runtime, on_failure=self.failures.append)
        self.hubs.append(hub)
        return hub

    def reload(self, hub: ModelHub) -> str:
        return asyncio.run(hub.reload_now()).version


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, and a runtime folder in which they are converted."""
    folder = tmp_path_factory.mktemp("made")
    for seed, version in enumerate(("v1", "v2")):
        files = take_copy(write_set(folder / version, version, seed=seed), folder)
        write(files.folder, _converted(folder / "runtime", files.sha256), files.sha256)
    return folder


def _converted(runtime: Path, sha256: str) -> Path:
    sets = runtime / "models/sets"
    sets.mkdir(parents=True, exist_ok=True)
    return sets / sha256[:32]


@pytest.fixture
def bench(tmp_path: Path, made: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, made)
    yield bench
    for hub in bench.hubs:
        hub.stop()


def version(hub: ModelHub) -> str | None:
    return hub.current.version if hub.current else None


def test_workers_that_share_a_folder_serve_the_same_set_and_follow_within_two_seconds(bench: Bench) -> None:
    hubs = [bench.hub() for _ in range(3)]
    for hub in hubs:
        hub.load_initial()
        hub.start(lambda _models: None)
    assert [version(hub) for hub in hubs] == ["v1"] * 3
    others = itertools.cycle(("v2", "v1"))  # older files: a way back

    def within_two_seconds() -> bool:
        other = next(others)
        bench.put(other)
        eventually(lambda: other in [version(hub) for hub in hubs])
        begin = time.monotonic()
        eventually(lambda: [version(hub) for hub in hubs] == [other] * 3)
        return time.monotonic() - begin < 2

    for _ in range(2):
        eventually(within_two_seconds)  # any may meet a busy moment


def test_a_new_set_is_announced_before_it_serves(bench: Bench) -> None:
    hub = bench.hub()
    hub.load_initial()
    seen: list[tuple[str, str | None]] = []
    hub.start(lambda models: seen.append((models.version, version(hub))))
    bench.put("v2")
    eventually(lambda: version(hub) == "v2")
    assert seen == [("v2", "v1")]


def _hostile(bench: Bench) -> None:
    (bench.models / WIN_FILE).write_bytes(corpus(bench.runtime / "ran")["os.system"])
    _new_metadata(bench)


def _missing(bench: Bench) -> None:
    (bench.models / ROI_FILE).unlink()


def _half_written(bench: Bench) -> None:
    shutil.copy(bench.sets["v2"] / WIN_FILE, bench.models / WIN_FILE)  # new models under old metadata


def _new_metadata(bench: Bench) -> None:
    metadata = json.loads((bench.models / METADATA_FILE).read_text())
    (bench.models / METADATA_FILE).write_text(json.dumps({**metadata, "timestamp": "bad"}))


# One that the process for foreign files refuses, as it does many (test_import_models), and two without it.
@pytest.mark.parametrize(
    ("damage", "said"),
    [(_hostile, r"os\.system"), (_missing, ROI_FILE), (_half_written, METADATA_FILE)],
)
def test_a_bad_set_is_reported_once_and_the_old_one_serves_until_a_good_one_comes(
    bench: Bench, damage: Callable[[Bench], None], said: str
) -> None:
    hub, other = bench.hub(), bench.hub()
    for one in (hub, other):
        one.load_initial()
        one.start(lambda _models: None)
    damage(bench)
    with pytest.raises(ModelError, match=said):
        bench.reload(hub)
    assert version(hub) == version(other) == "v1"
    assert hub.status().reload_error == other.status().reload_error
    eventually(lambda: (hub.status().last_checked or 0) > time.time() - 0.3)
    time.sleep(1.2)  # two more looks at the same bad set
    assert len(bench.failures) == hub.status().failures_total == 1
    assert not (bench.runtime / "ran").exists()
    bench.put("v2")
    assert bench.reload(hub) == "v2"
    assert hub.status().reload_error is None
    eventually(lambda: version(other) == "v2")


def test_the_same_set_again_is_no_change(bench: Bench) -> None:
    hub = bench.hub()
    hub.load_initial()
    for path in bench.models.iterdir():
        path.touch()
    assert asyncio.run(hub.reload_now()).changed is False


def test_without_models_the_hub_says_so_and_takes_the_first_that_come(bench: Bench) -> None:
    shutil.rmtree(bench.models)
    hub = bench.hub()
    with pytest.raises(ModelError, match="MODEL_DIR"):
        hub.load_initial()
    assert hub.current is None
    hub.start(lambda _models: None)
    bench.put("v1")
    eventually(lambda: version(hub) == "v1")


def test_files_that_are_taken_away_leave_the_set_serving(bench: Bench) -> None:
    hub = bench.hub()
    hub.load_initial()
    shutil.rmtree(bench.models)
    with pytest.raises(ModelError):
        bench.reload(hub)
    assert version(hub) == "v1"
    started_again = bench.hub()
    started_again.load_initial()
    assert version(started_again) == "v1"


def test_a_folder_that_can_only_be_read_is_enough(bench: Bench) -> None:
    bench.models.chmod(0o555)
    try:
        hub = bench.hub()
        hub.load_initial()
        assert version(hub) == "v1"
        assert {path.name for path in bench.models.iterdir()} == {WIN_FILE, ROI_FILE, METADATA_FILE}
    finally:
        bench.models.chmod(0o755)


def test_models_under_old_metadata_count_once_the_metadata_is_touched(bench: Bench) -> None:
    hub = bench.hub()
    hub.load_initial()
    _half_written(bench)
    shutil.copy(bench.sets["v2"] / ROI_FILE, bench.models / ROI_FILE)
    with pytest.raises(ModelError, match="touch it"):
        bench.reload(hub)
    (bench.models / METADATA_FILE).touch()
    assert asyncio.run(hub.reload_now()).changed


def test_a_set_whose_files_come_slowly_is_not_mixed_with_the_one_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pikkit.models.shared_set._SETTLE_PART_S", 60)  # a busy machine may take five seconds for one
    hub = bench.hub()
    hub.load_initial()
    seen: list[str] = []
    hub.start(lambda models: seen.append(models.sha256))
    for name in (METADATA_FILE, ROI_FILE, WIN_FILE):  # the wrong way round, as `cp -r` does
        shutil.copy(bench.sets["v2"] / name, bench.models / name)
        time.sleep(1.6)
    eventually(lambda: bool(seen))
    time.sleep(1)
    assert len(seen) == 1
    assert hub.current is not None
    assert hub.current.version == "v2"
    assert hub.status().failures_total == 0


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[store.Stored, Path]:
    """A set of the store, and where it lies until a test has it stored."""
    folder = tmp_path_factory.mktemp("imported")
    with read_here():
        made, _ = import_models(write_set(folder / "files", "in_store", seed=7))
    return made, Path(shutil.move(made.folder, folder / "set"))


@pytest.fixture
def stored(imported: tuple[store.Stored, Path]) -> Iterator[store.Stored]:
    made, kept = imported
    shutil.copytree(kept, made.folder)
    (made.folder.parent / "latest").write_text(made.folder.name)
    yield made
    shutil.rmtree(made.folder)


def test_bad_files_at_the_start_leave_the_set_of_the_store_serving_and_are_reported(
    bench: Bench, stored: store.Stored
) -> None:
    _hostile(bench)
    hub, other = bench.hub(), bench.hub()
    for one in (hub, other):
        one.load_initial()
        assert version(one) == "in_store"
        assert WIN_FILE in (one.status().reload_error or "")
    assert hub.status().failures_total == 1
    bench.put("v1")
    assert bench.reload(hub) == "v1"
    assert hub.status().reload_error is None


def test_without_files_the_newest_set_of_the_store_serves_and_a_newer_one_follows(
    bench: Bench, stored: store.Stored, tmp_path: Path
) -> None:
    shutil.rmtree(bench.models)
    hub = bench.hub()
    hub.load_initial()
    assert version(hub) == "in_store"
    assert hub.status().reload_error is None
    hub.start(lambda _models: None)
    with read_here():
        newer, _ = import_models(bench.sets["v2"])
    try:
        eventually(lambda: version(hub) == "v2")
    finally:
        shutil.rmtree(newer.folder)


def test_a_full_disk_stops_no_start_keeps_what_serves_and_is_told_in_lines(
    bench: Bench, stored: store.Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    away = bench.models.rename(bench.models.with_name("away"))
    hubs = [bench.hub(), bench.hub()]
    with no_room():
        for hub in hubs:
            hub.load_initial()
            hub.start(lambda _models: None)
        assert [version(hub) for hub in hubs] == ["in_store"] * 2
        away.rename(bench.models)
        with pytest.raises(ModelError, match=r"can't be copied .*: make room"):
            bench.reload(hubs[0])
        time.sleep(1)  # others look, too
        assert [version(hub) for hub in hubs] == ["in_store"] * 2
        written = capsys.readouterr().out
    assert "can't be written down" in written
    assert "Traceback" not in written
    eventually(lambda: [version(hub) for hub in hubs] == ["v1"] * 2)


def test_a_failure_that_one_worker_found_is_over_for_it_once_another_one_found_it_mended(bench: Bench) -> None:
    found: list[str] = []
    settings = Settings(_env_file=None, model_dir=bench.models, reload_interval=3600)
    hub = ModelHub(settings, bench.runtime, on_failure=found.append, on_success=lambda: found.append("over"))
    other = bench.hub(reload_interval=3600)
    for one in (hub, other):
        one.load_initial()
    _half_written(bench)
    with pytest.raises(ModelError):
        bench.reload(hub)
    bench.put("v2")
    assert bench.reload(other) == "v2"
    assert found[-1] != "over"
    bench.hubs.append(hub)
    hub.start(lambda _models: None)
    eventually(lambda: found[-1] == "over")


def test_what_can_not_even_be_locked_is_told_as_that(bench: Bench) -> None:
    hub = bench.hub()
    (bench.runtime / "models/lock").mkdir()
    with pytest.raises(ModelError, match="check DATA_DIR"):
        hub.load_initial()


def test_a_converted_set_that_was_swept_away_is_made_again(bench: Bench) -> None:
    bench.hub().load_initial()
    for path in (bench.runtime / "models/sets").iterdir():
        (path / "win.ubj").unlink()
    hub = bench.hub()
    hub.load_initial()
    assert version(hub) == "v1"


def test_a_set_that_fails_in_the_worker_is_reported_once_and_the_old_one_serves(bench: Bench) -> None:
    hub = bench.hub()
    hub.load_initial()

    def refuse(_models: object) -> None:
        raise ModelError("it predicts nonsense")

    hub.start(refuse)
    bench.put("v2")
    with pytest.raises(ModelError, match="nonsense"):
        bench.reload(hub)
    time.sleep(1.2)
    assert version(hub) == "v1"
    assert bench.failures == ["invalid_model"]
    assert hub.status().reload_error == "it predicts nonsense"


_WORKER = """
import sys, time
from pathlib import Path
from pikkit.models.hub import ModelHub
from pikkit.settings import Settings
hub = ModelHub(Settings(_env_file=None, model_dir=Path(sys.argv[1]), reload_interval=0.5), Path(sys.argv[2]))
hub.load_initial()
print(hub.current.version, flush=True)
hub.start(lambda models: None)
end = time.time() + 120
while hub.current.version != "v2" and time.time() < end:
    time.sleep(0.02)
print(hub.current.version, time.time(), flush=True)
"""


def test_processes_that_start_at_once_convert_once_and_change_together(bench: Bench) -> None:
    shutil.rmtree(bench.runtime)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, bench.models, bench.runtime],
            cwd=root(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        outputs = [worker.stdout for worker in workers if worker.stdout]
        assert {output.readline().strip() for output in outputs} == {"v1"}
        assert len(list((bench.runtime / "models/sets").iterdir())) == 1
        bench.put("v2")
        ends = [output.readline().split() for output in outputs]
        assert {version for version, _ in ends} == {"v2"}
        times = [float(moment) for _, moment in ends]
        assert max(times) - min(times) < 20  # two seconds of a machine that does nothing else (see test_hot_reload)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()

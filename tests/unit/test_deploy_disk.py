"""The folder of a stack, here and by the scripts that are run on another machine."""

import subprocess
from pathlib import Path

import pytest

from deploy.disk import Disk, LocalDisk
from deploy.errors import DeployError, Locked
from deploy.ssh_disk import SshDisk
from deploy.ssh_shell import Said
from deploy.ssh_site import listening


class LocalShell:
    """Runs scripts here; `cut` bytes of the input get through before the connection breaks."""

    def __init__(self) -> None:
        self.cut: int | None = None

    def run(self, script: str, given: bytes = b"") -> Said:
        done = subprocess.run(["sh", "-c", script], input=given[: self.cut], capture_output=True, check=False)
        return Said(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture(params=["here", "by ssh"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    root = tmp_path / "a stack's"  # to be quoted
    root.mkdir()
    return LocalDisk(root) if request.param == "here" else SshDisk(root, LocalShell())


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_is_written_is_read_and_nothing_else_lies_about(disk: Disk) -> None:
    assert disk.read("nginx/nginx.conf") is None
    disk.write("nginx/nginx.conf", "a 'quoted' $line\nand an ä\n")
    disk.write("nginx/nginx.conf", "b\n", mode=0o600)
    assert disk.read("nginx/nginx.conf") == "b\n"
    assert (disk.root / "nginx/nginx.conf").stat().st_mode & 0o777 == 0o600
    disk.write("state.json", "ä $HOME `date`")
    assert disk.read("state.json") == "ä $HOME `date`"
    assert (disk.root / "state.json").stat().st_mode & 0o777 == 0o644
    assert disk.names(".") == ["nginx", "state.json"]
    assert disk.names("nginx") == ["nginx.conf"]
    assert disk.names("nowhere") == []


def test_json_that_is_damaged_or_missing_is_none(disk: Disk) -> None:
    disk.write_json("a.json", {"x": [1, "ä"]})
    assert disk.read_json("a.json") == {"x": [1, "ä"]}
    disk.write("a.json", '{"x')
    assert disk.read_json("a.json") is None
    assert disk.read_json("b.json") is None


def test_lines_are_appended(disk: Disk) -> None:
    disk.append("audit.jsonl", '{"a": "it\'s"}')
    disk.append("audit.jsonl", "b")
    assert disk.read("audit.jsonl") == '{"a": "it\'s"}\nb\n'


def test_a_link_is_replaced_and_not_followed(disk: Disk) -> None:
    disk.make_folders("nginx/routes/r1", "nginx/routes/r2")
    assert disk.linked("nginx/live") is None
    disk.link("nginx/live", "routes/r1")
    disk.link("nginx/live", "routes/r2")
    assert disk.linked("nginx/live") == "routes/r2"
    assert disk.names("nginx/routes/r1") == []
    assert disk.names("nginx") == ["live", "routes"]


def test_files_links_and_folders_are_removed_and_what_is_missing_is_no_error(disk: Disk) -> None:
    disk.write("a/b/c", "")
    disk.link("link", "a")
    disk.remove("link", "nothing")
    assert disk.names("a/b") == ["c"]
    disk.remove("a")
    disk.remove()
    assert disk.names(".") == []


def test_a_folder_is_filled_copied_and_fetched(disk: Disk, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model 1.pkl").write_bytes(b"\0" * 100_000)
    (source / "metadata.json").write_text("{}")
    (source / "metadata.json").chmod(0o600)
    disk.write("slots/blue/models/old", "old")
    disk.fill("slots/blue/models", source)
    assert disk.names("slots/blue/models") == ["metadata.json", "model 1.pkl"]
    (disk.root / "slots/blue/models/metadata.json").chmod(0o600)
    disk.copy("slots/blue/models", "slots/green/models")
    green = disk.root / "slots/green/models"
    assert content(green) == content(source)
    assert {path.stat().st_mode & 0o777 for path in green.iterdir()} == {0o644}
    assert green.stat().st_mode & 0o777 == 0o755
    disk.fetch("slots/green/models", tmp_path / "fetched")
    assert content(tmp_path / "fetched") == content(source)
    disk.copy("nowhere", "slots/green/models")
    disk.fill("slots/blue/models", tmp_path / "nowhere")
    assert disk.names("slots/green/models") == disk.names("slots/blue/models") == []


def test_a_connection_that_breaks_leaves_what_there_was(tmp_path: Path) -> None:
    shell = LocalShell()
    source, root = tmp_path / "source", tmp_path / "stack"
    source.mkdir()
    root.mkdir()
    (source / "model").write_text("x")
    disk = SshDisk(root, shell)
    disk.write("state.json", "old")
    disk.append("audit.jsonl", "old")
    disk.fill("models", source)
    shell.cut = 5
    with pytest.raises(DeployError, match="can't be written to"):
        disk.write("state.json", "much newer")
    with pytest.raises(DeployError):
        disk.append("audit.jsonl", "much newer")
    with pytest.raises(DeployError):
        disk.fill("models", source)
    assert disk.read("state.json") == "old"
    assert disk.read("audit.jsonl") == "old\n"
    assert disk.names("models") == ["model"]
    assert disk.names(".") == ["audit.jsonl", "models", "state.json"]


def test_a_command_without_its_lock_changes_nothing_more(tmp_path: Path) -> None:
    disk = SshDisk(tmp_path, LocalShell())
    disk.token = "7f00"
    with pytest.raises(Locked, match="nothing more is changed"):
        disk.write("state.json", "x")
    (tmp_path / "lock.json").write_text('{"token": "7f00"}')
    disk.write("state.json", "x")
    (tmp_path / "lock.json").write_text('{"token": "8a11"}')
    with pytest.raises(Locked):
        disk.link("live", "routes/r2")
    assert disk.read("state.json") == "x"


def test_ports_that_are_listened_on_are_read_from_the_kernels_table() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue\n"
        "   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000\n"
        "   1: 0100007F:1F42 0100007F:D431 01 00000000:00000000\n"
        "   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000\n"
    )
    assert listening(table) == {8001, 8000}

"""The folder of a stack."""

from pathlib import Path

import pytest

from deploy.disk import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "stack").mkdir()
    return Disk(tmp_path / "stack")


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


def test_a_folder_is_filled_and_copied(disk: Disk, tmp_path: Path) -> None:
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
    disk.copy("nowhere", "slots/green/models")
    disk.fill("slots/blue/models", tmp_path / "nowhere")
    assert disk.names("slots/green/models") == disk.names("slots/blue/models") == []

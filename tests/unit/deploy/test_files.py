"""Files of a stack: whole or not there."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import files
from deploy.files import Record
from deploy.processes import ProcessId


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_is_written_is_read_and_nothing_else_lies_about(tmp_path: Path) -> None:
    config = tmp_path / "nginx/nginx.conf"
    assert files.read_text(config) is None
    files.write_text(config, "a 'quoted' $line\nand an \u00e4\n")
    files.write_text(config, "b\n", mode=0o600)
    assert files.read_text(config) == "b\n"
    assert config.stat().st_mode & 0o777 == 0o600
    files.write_json(tmp_path / "a.json", {"x": [1, "\u00e4"]})
    assert files.read_json(tmp_path / "a.json") == {"x": [1, "\u00e4"]}
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644
    assert files.names(tmp_path) == ["a.json", "nginx"]
    assert files.names(tmp_path / "nginx") == ["nginx.conf"]
    assert files.names(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", '{"x', "[" * 100_000, None])
def test_json_that_is_damaged_or_missing_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    assert files.read_json(tmp_path / "a.json") is None


@pytest.mark.parametrize("data", [[], None, {}, "x", {"pid": "x"}, {"pid": 1}, {"pid": 1, "boot": None, "start": 1}])
def test_what_is_no_record_is_none_whatever_a_damaged_file_holds(data: object) -> None:
    assert files.parsed(ProcessId, data) is None


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        (tmp_path / "routes" / name).mkdir(parents=True)
    live = tmp_path / "live"
    assert files.linked(live) is None
    files.replace_link(live, "routes/r1")
    files.replace_link(live, "routes/r2")
    assert files.linked(live) == "routes/r2"
    assert files.names(tmp_path / "routes/r1") == []
    assert files.names(tmp_path) == ["live", "routes"]


def test_files_links_and_folders_are_removed_and_what_is_missing_is_no_error(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a/b/c", "")
    files.replace_link(tmp_path / "link", "a")
    files.remove(tmp_path / "link", tmp_path / "nothing")
    assert files.names(tmp_path / "a/b") == ["c"]
    files.remove(tmp_path / "a")
    assert files.names(tmp_path) == []


def test_a_folder_is_filled_with_copies_that_everybody_may_read(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "slots/green/models"
    source.mkdir()
    (source / "model 1.pkl").write_bytes(b"\0" * 100_000)
    files.write_text(source / "metadata.json", "{}", mode=0o600)
    files.write_text(target / "old", "old")
    files.fill(target, source)
    assert content(target) == content(source)
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o644}
    assert target.stat().st_mode & 0o777 == 0o755
    files.fill(target, tmp_path / "nowhere")
    assert files.names(target) == []


@dataclass
class Told:
    name: str
    number: int = 1


def test_a_record_is_read_again_only_when_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record(tmp_path / "told.json", Told)
    assert record.read() is None
    assert record.write(Told("a"))
    reads: list[Path] = []
    read = files.read_json

    def counted(path: Path) -> object:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(files, "read_json", counted)
    assert record.read() == Told("a")
    assert reads == []
    record.path.write_text(json.dumps({"name": "b", "number": 2, "unknown": None}))
    assert [record.read(), record.read()] == [Told("b", 2), Told("b", 2)]
    assert len(reads) == 1
    record.path.write_text('{"number": 3}')
    assert record.read() is None
    record.remove()
    assert not record.path.exists()


def test_a_record_that_can_not_be_written_is_still_this_process_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = Record(tmp_path / "file/record.json", Told)
    assert not record.write(Told("a"))
    assert record.read() == Told("a")

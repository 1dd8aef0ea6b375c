import shutil
import stat
from pathlib import Path

import pytest

from pikkit.files import replace_file, why


@pytest.mark.parametrize("lasting", [False, True])
def test_a_file_that_can_not_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old", lasting=lasting)
    assert bool(stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH) == lasting

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new", lasting=lasting)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_what_stands_in_the_way_of_many_files_is_said_once_without_their_names(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / "from").mkdir(exist_ok=True)
        (tmp_path / "from" / name).symlink_to("nowhere")
    with pytest.raises(shutil.Error) as caught:
        shutil.copytree(tmp_path / "from", tmp_path / "to")
    assert why(caught.value) == "No such file or directory"

"""Nginx as a process of this machine."""

from pathlib import Path

import pytest

from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.proxy.local import LocalNginx
from deploy.settings import DeploySettings


@pytest.mark.parametrize(
    ("name", "rule"),
    [("none", "No such file or directory"), ("folder", "Permission denied"), ("text", "Permission denied")],
)
def test_what_can_not_be_run_is_named_with_the_setting_that_names_another(tmp_path: Path, name: str, rule: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").touch()
    binary = tmp_path / name
    nginx = LocalNginx(DeploySettings(run_dir=tmp_path, nginx_bin=binary), Clock())
    with pytest.raises(RouterError) as told:
        _ = nginx.binary
    assert str(told.value) == f"{binary} can't be run: {rule}: name another in NGINX_BIN"

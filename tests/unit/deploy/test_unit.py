from pathlib import Path

from deploy.cli.looking import render_unit
from deploy.settings import DeploySettings


def test_the_unit_comes_up_at_boot_is_started_again_and_leaves_slots_alone() -> None:
    settings = DeploySettings(run_dir=Path("/srv/a b/.run"))
    lines = render_unit(Path("/srv/a b"), settings, user="deploy", python="/srv/a b/.venv/bin/python").splitlines()
    assert 'ExecStart="/srv/a b/.venv/bin/python" -m deploy up --foreground' in lines
    assert 'ReadWritePaths="/srv/a b/.run" "/srv/a b/.data"' in lines
    for line in ("Restart=always", "KillMode=process", "WantedBy=multi-user.target", "NoNewPrivileges=yes"):
        assert line in lines
    assert "StandardOutput=journal" in lines

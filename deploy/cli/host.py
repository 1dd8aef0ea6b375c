"""Commands about this host: the supervisor, its unit of systemd, the lock; and what has gone."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.shell import app, console, opened
from deploy.errors import UsageError
from deploy.files import ROOT, template_of
from deploy.settings import DeploySettings
from deploy.watch.supervisor import Supervisor

_UNIT = Path("/etc/systemd/system/pikkit.service")


@app.command(hidden=True)
def supervise(context: typer.Context) -> None:
    """Supervise in the foreground."""
    with opened(context) as stack:
        Supervisor(stack).run()


@app.command("install-unit", epilog="Example: python -m deploy install-unit --user pikkit")
def install_unit(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help=f"Write {_UNIT}; else it is printed")] = False,
    user: Annotated[str, typer.Option(help="User that the service runs as")] = getpass.getuser(),
) -> None:
    """Print (or install) the systemd unit that brings everything up at boot and supervises it."""
    with opened(context) as stack:
        text = render_unit(ROOT, stack.settings, user=user, python=sys.executable)
        if not write:
            sys.stdout.write(text)
            return
        if os.geteuid():
            raise UsageError(f"{_UNIT} is root's: run this by sudo, or print the unit and install it yourself")
        _UNIT.write_text(text, encoding="utf-8")
        console.print(f"{_UNIT} is written: systemctl daemon-reload && systemctl enable --now pikkit")


def render_unit(root: Path, settings: DeploySettings, *, user: str, python: str) -> str:
    """The unit of systemd for the checkout at `root`, run by `python` as `user`."""
    docker = settings.runtime == "docker"
    template = template_of(ROOT / "deploy/systemd/pikkit.service.j2")
    return template.render(root=root, run_dir=settings.run_dir, user=user, python=python, docker=docker)


@app.command(epilog="Example: python -m deploy unlock")
def unlock(context: typer.Context) -> None:
    """Remove the lock, whoever holds it. A dead owner's lock needs no unlocking."""
    with opened(context) as stack:
        owner = stack.lock("unlock").break_()
        stack.journal.write("unlock", "done", owner=str(owner) if owner else None)
        console.print(f"removed the lock of {owner}" if owner else "there was no lock")


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def fleet(context: typer.Context) -> None:
    """Name what has taken its place."""
    with opened(context):
        raise UsageError(
            "`fleet` is gone: run `python -m deploy` on each host (deploy/pipeline/ship.sh does, by ssh), or use a "
            "cluster (docs/kubernetes.md)"
        )

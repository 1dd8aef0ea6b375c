"""The unit of systemd, as text."""

from __future__ import annotations

from pathlib import Path

from deploy.files import ROOT, template_of
from deploy.settings import DeploySettings

__all__ = ["render_unit"]


def render_unit(root: Path, settings: DeploySettings, *, user: str, python: str) -> str:
    """The unit for the checkout at `root`, run by `python` as `user`."""
    docker = settings.runtime == "docker"
    template = template_of(ROOT / "deploy/systemd/pikkit.service.j2")
    return template.render(root=root, run_dir=settings.run_dir, user=user, python=python, docker=docker)

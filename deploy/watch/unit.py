"""The unit of systemd, as text."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.settings import DeploySettings

__all__ = ["render_unit"]

_TEMPLATES = Path(__file__).resolve().parents[1] / "systemd"


def render_unit(root: Path, settings: DeploySettings, *, user: str, python: str) -> str:
    """The unit for the checkout at `root`, run by `python` as `user`."""
    environment = Environment(  # noqa: S701 - a unit file, not HTML
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("pikkit.service.j2").render(
        root=root, run_dir=settings.run_dir, user=user, python=python, docker=settings.runtime == "docker"
    )

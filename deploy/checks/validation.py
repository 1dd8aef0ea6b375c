"""The model set of a release judged on settled bets before it may serve, by the same command as everywhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.errors import GateFailed
from deploy.release.release import Release

__all__ = ["validate_models"]

_LIMIT_S = 600
_LINES = 12


def validate_models(release: Release, bets: Path, production: Release | None, root: Path) -> str:
    """Run `python -m training validate` on the release's models, against production's where they are others.

    Raises:
        GateFailed: a gate of the validation failed; nothing was started.
    """
    command = [sys.executable, "-m", "training", "validate", "--models", str(release.models_dir), "--bets", str(bets)]
    if production and production.models_dir and production.models_digest != release.models_digest:
        command += ["--against", production.models_dir]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
    if done.returncode:
        raise GateFailed(f"the models of {release.version} did not pass `python -m training validate`", tuple(lines))
    return "validated"

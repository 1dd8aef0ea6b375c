"""Model sets: that none is brought back by a release that is older, and how they are judged."""

from __future__ import annotations

import sys

from deploy.errors import GateFailed, UsageError
from deploy.files import ROOT
from deploy.flow.stack import Stack
from deploy.processes import run
from deploy.release.release import Release

__all__ = ["check_not_older", "validated"]

_LINES = 12  # shown of what the validation said


def check_not_older(stack: Stack, release: Release) -> None:
    """A new release must not bring back an older model set than the one that was hot-reloaded meanwhile.

    Raises:
        UsageError: it would.
    """
    route = stack.router.get()
    seen = stack.runtime.observe(route.production) if route else None
    live = stack.releases.get(seen.version) if seen and seen.running and seen.version else None
    if route is None or live is None:
        return
    health = stack.probe.health(stack.runtime.base_url(route.production)) or {}
    served = health.get("model_timestamp")
    if served and stack.gates.hot_reloaded(route.production, live) and release.models_version < served:
        raise UsageError(
            f"{route.production} serves model set {served}, loaded after release {live.version} was built; "
            f"{release.version} has the older {release.models_version}: build it with the new set (--models), "
            "or say --older-models"
        )


def validated(stack: Stack, release: Release) -> str:
    """Judge the release's models on settled bets, where that is asked for; what came of it, in words.

    By the same command as everywhere else, `python -m training validate`: against production's, where they are others.

    Raises:
        GateFailed: a gate of the validation failed; nothing was started.
    """
    bets = stack.settings.validate_bets
    if bets is None:
        return ""
    command = [sys.executable, "-m", "training", "validate", "--models", str(release.models_dir), "--bets", str(bets)]
    version = stack.live_version()
    production = stack.releases.get(version) if version else None
    if production and production.models_dir and production.models_digest != release.models_digest:
        command += ["--against", production.models_dir]
    done = run(command, folder=ROOT)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
        raise GateFailed(f"the models of {release.version} did not pass `python -m training validate`", tuple(lines))
    return ", validated"

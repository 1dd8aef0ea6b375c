"""The simulated market that the starter models are made from, and another one to judge them by."""

from __future__ import annotations

from datetime import UTC, datetime

from pikkit.errors import ModelError
from pikkit.history.history import SettledBets
from pikkit.models.model_set import ModelSet
from training.settled.simulate import simulate

__all__ = ["SEED", "TIME", "market", "unseen_market"]

SEED = 20_260_101
TIME = datetime(2026, 1, 1, tzinfo=UTC)  # names the set: made again, it is the same
_BETS = 40_000


def market() -> SettledBets:
    """What the starter models are trained on."""
    return simulate(_BETS, SEED)


def unseen_market(models: ModelSet) -> SettledBets:
    """A market that `models` was not trained on.

    Raises:
        ModelError: it is no starter set.
    """
    if not models.starter:
        raise ModelError(
            f"model set {models.version} is no starter set: simulated bets say nothing of it; name settled ones by "
            "--bets FILE (make validate BETS=FILE)"
        )
    return simulate(_BETS, SEED + 1)

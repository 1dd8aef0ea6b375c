"""What became of a bet, in the words that exports have for it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LOST", "RESULTS", "WON", "result"]

WON, LOST = "won", "lost"

RESULTS: Mapping[str, str] = {
    **dict.fromkeys(("true", "1", "1.0", "t", "yes", "y", "win", "won", "w", "winner"), WON),
    **dict.fromkeys(("false", "0", "0.0", "f", "no", "n", "loss", "lost", "lose", "l", "loser"), LOST),
    **dict.fromkeys(("push", "pushed", "p", "tie", "draw"), "push or void: the stake came back"),
    **dict.fromkeys(
        ("void", "voided", "cancelled", "canceled", "refund", "refunded", "no action", "v"),
        "push or void: the stake came back",
    ),
    **dict.fromkeys(
        ("", "pending", "placed", "open", "unsettled", "in progress", "live", "accepted", "none", "null", "nan"),
        "not settled: no result",
    ),
    **dict.fromkeys(("cashout", "cash out", "cashed out", "cashedout"), "cashed out: no result of the bet itself"),
    **dict.fromkeys(
        ("half win", "half won", "half loss", "half lost", "win half", "loss half"), "half won or half lost"
    ),
}
_SETTLED = "settled "


def result(text: str) -> str:
    """WON, LOST, or the reason why it is neither. `SETTLED_WIN`, `Won`, `W`, `1` and `true` are one."""
    plain = " ".join(text.casefold().replace("_", " ").replace("-", " ").split()).removeprefix(_SETTLED)
    return RESULTS.get(plain, "not settled: a result that is not known here")

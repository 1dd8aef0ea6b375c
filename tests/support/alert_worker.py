"""A worker's alerts in a process of its own: the real sink as the settings describe it, bets offered through a pipe."""

import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pikkit.alerts.building import build_sink
from pikkit.settings import Settings
from tests.support.samples import a_bet, a_prediction

__all__ = ["serve"]


def serve(slot: str, folder: Path, log: Path, pipe: Connection, settings: dict[str, Any]) -> None:
    """Offer what comes, each list of numbers as one request, and say so once that is done."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sink = build_sink(
        Settings(_env_file=None, deployment=slot, **settings),
        folder,
        counted=lambda _channel, _outcome, _count: None,
        dropped=lambda _count: None,
    )
    assert sink
    sink.start()
    pipe.send([])  # it is there
    while True:
        numbers: list[int] = pipe.recv()
        bets = [a_bet(client_ref=number) for number in numbers]
        sink.offer(bets, [a_prediction("A")] * len(bets), model_version="m1")
        pipe.send(numbers)

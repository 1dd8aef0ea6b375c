"""`python -m benchmarks.check`: a regression guard that does not depend on the machine; exits with 1 on a regression.

Counted is how many functions, Python's and C's, are called for one bet and for each bet of a batch of 100, from the
request's bytes to the answer's: the same number on every machine and under every load. Times are told beside it, as
multiples of what the bare Starlette server of the comparison takes for the same in the same process. The access log
is on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pikkit
from benchmarks.load.mix import BET
from pikkit.settings import Settings
from pikkit.telemetry.logs import configure

# What was counted when this was last made faster, on Python 3.11, and a little more: raise it only with a reason.
MOST_CALLS = {
    "/api/v1/predict": 260,
    "/api/v1/batch-predict": 8,
    "/api/v1/batch-predict of both sides of 50 markets": 23,
    "/api/v1/batch-predict of the same with market_prices": 28,
}
MOST_FILES, MOST_WEB_FILES, MOST_MOVES = 14, 4, 42  # that one warm bet enters; they only go down
_LOOP = (str(Path(asyncio.__file__).parent), selectors.__file__)  # whose calls uvloop does not make
_PAUSE_S = 0.1
_TOGETHER = 10  # requests whose counting is done at once


def two_sides(game: int) -> list[dict[str, Any]]:
    """Both sides of one market, each with the prices of both."""
    names = (f"Home {game}", f"Away {game}")
    prices = [{"selection": name, "odds": odds} for name, odds in zip(names, (-120 - game, 105 + game), strict=True)]
    known = {**BET, "event": " v ".join(names), "market_prices": prices}
    return [{**known, **price} for price in prices]


def batch(bets: list[dict[str, Any]]) -> tuple[bytes, int]:
    """The body of a batch, and how many bets are in it."""
    return json.dumps({"bets": bets}).encode(), len(bets)


_SIDES = [bet for game in range(50) for bet in two_sides(game)]
BODIES = {
    "/api/v1/predict": (json.dumps(BET).encode(), 1),
    "/api/v1/batch-predict": batch([BET] * 100),
    "/api/v1/batch-predict of both sides of 50 markets": batch(
        [{name: value for name, value in bet.items() if name != "market_prices"} for bet in _SIDES]
    ),
    "/api/v1/batch-predict of the same with market_prices": batch(_SIDES),
}


def application(folder: Path) -> Any:
    """Our gateway with everything behind it but BentoML. The access log is on, unless ACCESS_LOG says otherwise."""
    os.environ.setdefault("ACCESS_LOG", "1")
    os.environ.update(ALERTS_ENABLED="false", DATA_DIR=str(folder / "data"), LOG_FORMAT="json")
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    from pikkit.app import Application  # noqa: PLC0415 - BentoML reads its home when it is imported

    settings = Settings.load()
    configure(settings)
    made = Application(settings, folder / "run", workers=1)
    made.load()
    return made


async def answer(app: Any, path: str, body: bytes) -> list[Any]:
    """One request, without a socket."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("x", 1),
             "server": ("x", 2)}  # fmt: skip
    await app(scope, receive, send)
    await asyncio.sleep(0)  # one a turn of the loop, as from a client that asks alone
    assert sent[0]["status"] == 200, sent
    return sent


async def calm(settle: Callable[[], None]) -> None:
    """Until what a timer has begun has come to its end."""
    settle()
    await asyncio.sleep(_PAUSE_S)
    settle()


async def calls(app: Any, path: str, body: bytes, settle: Callable[[], None]) -> float:
    """How many functions are called for one request, and for its share of what is counted of several together."""
    count = 0

    def seen(frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call") and not frame.f_code.co_filename.startswith(_LOOP)

    least = sys.maxsize
    for _ in range(5):  # the least: a timer may fall into one
        await calm(settle)
        count = 0
        sys.setprofile(seen)
        for _ in range(_TOGETHER):
            await answer(app, path, body)
        settle()
        sys.setprofile(None)
        least = min(least, count)
    return least / _TOGETHER


async def way(app: Any, path: str, body: bytes) -> list[str]:
    """The files of pikkit/ that one warm request enters, in order; one after the other is a move."""
    root = str(Path(pikkit.__file__).parent) + "/"
    entered: list[str] = []

    def seen(frame: Any, event: str, _argument: Any) -> None:
        place = frame.f_back if event == "return" and frame.f_back else frame
        name = place.f_code.co_filename
        if event in ("call", "return") and name.startswith(root) and entered[-1:] != [name]:
            entered.append(name)

    await answer(app, path, body)
    sys.setprofile(seen)
    await answer(app, path, body)
    sys.setprofile(None)
    return [name.removeprefix(root) for name in entered]


async def microseconds(app: Any, path: str, body: bytes, requests: int, settle: Callable[[], None]) -> float:
    """Time of one request."""
    begin = time.perf_counter()
    for _ in range(requests):
        await answer(app, path, body)
    settle()
    return 1e6 * (time.perf_counter() - begin) / requests


async def check(app: Any, limit: Any, settle: Callable[[], None]) -> list[str]:
    """Measure and print; what is above its bound, in words."""
    missed = []
    without = 0.0
    for name, (body, bets) in BODIES.items():
        path = name.partition(" ")[0]
        await microseconds(app, path, body, 20, settle)
        counted = await calls(app, path, body, settle) / bets
        ours, theirs = [], []
        for _ in range(5):
            ours.append(await microseconds(app, path, body, 1000 // bets, settle))
            theirs.append(await microseconds(limit, path, body, 1000 // bets, lambda: None))
        print(
            f"{name}: {counted:.1f} calls a bet (at most {MOST_CALLS[name]}), {min(ours) / bets:.1f} µs a bet, "
            f"{min(ours) / min(theirs):.1f} times the bare server"
            + (f", {min(ours) / without:.2f} times the same without" if "the same" in name else ""),
            file=sys.__stdout__,
        )
        without = min(ours)
        if counted > MOST_CALLS[name]:
            missed.append(f"{name}: {counted:.1f} calls a bet, more than {MOST_CALLS[name]}")
    path, (body, _) = next(iter(BODIES.items()))
    ways = []
    for _ in range(3):  # the shortest: a timer may fall into one
        await calm(settle)
        ways.append(await way(app, path, body))
    moves = min(ways, key=len)
    files = set(moves)
    web = {name for name in files if name.startswith("web/")}
    print(
        f"{path}: {len(files)} files entered, {len(web)} of them in web, {len(moves)} moves between files",
        file=sys.__stdout__,
    )
    for counted, most, what in (
        (len(files), MOST_FILES, "files entered"),
        (len(web), MOST_WEB_FILES, "files of web entered"),
        (len(moves), MOST_MOVES, "moves between files"),
    ):
        if counted > most:
            missed.append(f"{path}: {counted} {what}, more than {most}")
    return missed


def main() -> None:
    """Check, and say what got slower."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.environ["ACCESS_LOG"] = "1"
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        ours = application(Path(folder))
        from benchmarks.rivals.limit import app as limit  # noqa: PLC0415 - beside ours, not before

        async def scenario() -> list[str]:
            worker = ours._metrics.worker  # noqa: SLF001 - of the whole service only what counts runs beside it
            worker.start()

            def settle() -> None:
                worker.flush()
                worker.is_due = True  # so that it comes when it is called, not by its timer

            return await check(ours.gateway(None, shortcut=True), limit, settle)

        missed = asyncio.run(scenario())
    print("\n".join(missed) or "nothing got slower")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

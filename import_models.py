"""`python import_models.py`: the users' model files to one versioned model set in the BentoML model store."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pikkit.errors import ModelError
from pikkit.exports.command_line import DateFormat, Map, OddsFormat, Rejected, asked_for
from pikkit.exports.layout import Asked
from pikkit.exports.settled import read_settled
from pikkit.files import why
from pikkit.history.history import History
from pikkit.models.activation import active, home
from pikkit.models.importing import Past, checked, golden_bets, import_models
from pikkit.models.metadata import read_json
from pikkit.models.model_set import ModelSet
from pikkit.models.remarks import Given, given, market_in_words
from pikkit.models.rules import predictor_of
from pikkit.models.store import find, newest
from pikkit.models.user_files import HISTORY_FILE, last_change
from pikkit.settings import Settings, WrongSetting

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: python import_models.py --from models --bets bets.csv")
def main(
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the model files (default: MODEL_DIR)", metavar="DIR")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help=f"A {HISTORY_FILE} to carry instead of the folder's", metavar="FILE")
    ] = None,
    bets: Annotated[
        Path | None, typer.Option(help="Settled bets (CSV, Parquet) to make the history of", metavar="FILE")
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Default: pikkit_bet_models:<timestamp>", metavar="NAME:VERSION")
    ] = None,
    mapped: Map = None,
    odds_format: OddsFormat = None,
    date_format: DateFormat = None,
    rejected: Rejected = None,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Whether local servers serve it from now on")
    ] = True,
    check: Annotated[bool, typer.Option("--check", help="Tell everything, and store nothing")] = False,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Import MODEL_DIR only if its files changed since the active import")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print tag, version, digest and golden bets as JSON instead of a table")
    ] = False,
) -> None:
    """Import win model, ROI model, metadata and history as one model set into the BentoML model store.

    Local servers serve it from then on, until the files in MODEL_DIR change. Deployed slots don't.

    Exit codes: 0 done, or nothing had changed; 1 refused, and the message says why; 2 an option is wrong.
    """
    console = Console(stderr=as_json, soft_wrap=True, markup=False, emoji=False)
    if history and bets:
        sys.exit("import failed: --history and --bets exclude each other: give one")
    if if_changed and (source or history or bets or tag or check):
        sys.exit("import failed: --if-changed is about MODEL_DIR as it is: leave the other options out")
    try:
        settings = Settings.load()
        model_dir = settings.model_dir
        served = _served_already(model_dir) if if_changed else None
        if served:
            console.print(served)
            return
        asked = asked_for(mapped, odds_format, date_format)
        past = _past(history, bets, asked, rejected, console)
        # A set that nobody asked for by name is not activated: MODEL_DIR's files count as they are.
        beside = model_dir if activate and not if_changed and not check else None
        with ExitStack() as stack:
            with console.status(f"reading the models in {source or model_dir}"):
                imported = _imported(source or model_dir, past, tag, beside, check=check)
                stored, models = stack.enter_context(imported)
            gives = given(models, predictor_of(settings), past.settled if past else None, time.time())
            if as_json:
                print(json.dumps(_told(stored, models, gives)))  # noqa: T201 - the answer to a program
                return
            console.print(_table(stored or f"{models.version}: checked, not stored", models, gives))
            for remark in gives.remarks:
                console.print(f"warning: {remark}")
        if beside:
            console.print(f"local servers serve it from now on, until the files in {model_dir.absolute()} change")
    except ModelError as error:
        sys.exit(f"import failed: {error.message}")
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(f"import failed: {place}{why(error)}: see to the disk, its rights and BENTOML_HOME")
    except WrongSetting as error:
        sys.exit(f"settings: {error}")


@contextmanager
def _imported(
    source: Path, past: Past | None, tag: str | None, beside: Path | None, *, check: bool
) -> Iterator[tuple[str | None, ModelSet]]:
    """The set and its tag in the store; none where it is only checked."""
    if check:
        with checked(source, past=past) as models:
            yield None, models
    else:
        stored, models = import_models(source, past=past, tag=tag, activate_beside=beside)
        yield stored.tag, models


def _past(
    history: Path | None, bets: Path | None, asked: Asked, rejected: Path | None, console: Console
) -> Past | None:
    if history:
        return Past(_read_history(history))
    if not bets:
        return None
    with console.status(f"reading {bets}"):
        settled, report = read_settled(bets, asked, rejected=rejected)
    for line in report.lines():
        console.print(line)
    if not len(settled):
        raise ModelError(f"{bets} has no usable bet: there is nothing to make a history of; --rejected FILE tells why")
    return Past(History.from_bets(settled), settled)


def _served_already(model_dir: Path) -> str | None:
    """What local servers serve instead of MODEL_DIR's files, in words; None where it is these."""
    imported = active()
    if imported and imported.outranks(model_dir) and find(imported.sha256, imported.tag):
        return (
            f"{imported.tag} serves, imported from {imported.source} into {home()}: the files in "
            f"{model_dir.absolute()} are as they were"
        )
    carried = newest() if last_change(model_dir) is None else None
    return f"{carried.tag} of {home()} serves: {model_dir.absolute()} has no model files" if carried else None


def _read_history(path: Path) -> History:
    try:
        return History.from_json(read_json(path))
    except OSError as cause:
        raise ModelError(f"{path} can't be read as a history ({why(cause)}): make one with --bets") from cause


def _told(tag: str | None, models: ModelSet, gives: Given) -> dict[str, Any]:
    return {
        "tag": tag,
        "version": models.version,
        "sha256": models.sha256,
        "golden": golden_bets(models),
        "grades": gives.grades,
        "remarks": gives.remarks,
    }


def _table(title: str, models: ModelSet, gives: Given) -> Table:
    table = Table(title=title, show_header=False)
    table.add_row("version", models.version + (" (starter models, simulated bets)" if models.starter else ""))
    for name, row in (("win", "win probability"), ("roi", "ROI")):
        engine = models.manifest["engines"][name]
        rounds = (
            f", {engine['rounds']} of {engine['rounds_pickled']} rounds"
            if engine.get("rounds") != engine.get("rounds_pickled")
            else ""
        )
        served = f"served by {engine['type']}"
        if name == "roi" and models.roi_from_price:
            served = "not asked: ROI follows from probability and price"
        table.add_row(row, f"{engine['model']}{rounds}, {served}")
    table.add_row("features", str(len(models.spec.names)))
    table.add_row("history", f"{models.history.size:,} settled bets" if models.history.size else "no betting history")
    table.add_row("beside a market", market_in_words(models))
    table.add_row("grades", f"{gives.in_words()} (of {gives.bets:,} {gives.kind} bets)")
    table.add_row("sha256", models.sha256[:16])
    table.add_row("store", f"{home()} (BENTOML_HOME)")
    return table


if __name__ == "__main__":
    app()

"""`python import_models.py`: the users' model files to one versioned model set in the BentoML model store."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pikkit import store
from pikkit.bundle import ModelSet, load_set
from pikkit.convert import convert
from pikkit.errors import ModelError
from pikkit.history import History
from pikkit.settings import Settings
from pikkit.store import Stored
from pikkit.userfiles import HISTORY_FILE, take_copy, with_history

__all__ = ["import_models"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def import_models(source: Path, *, history: History | None = None, tag: str | None = None) -> tuple[Stored, ModelSet]:
    """Check, convert and store the set in `source`.

    Args:
        source: folder with the users' files.
        history: replaces the history_latest.json of the folder.
        tag: NAME:VERSION instead of pikkit_bet_models:<timestamp>.

    Raises:
        ModelError: the set can't be served; the store is as it was.
    """
    with tempfile.TemporaryDirectory(prefix="pikkit-import-") as name:
        work = Path(name)
        (work / "copy").mkdir()
        copy = take_copy(source, work / "copy")
        if history is not None:
            copy = with_history(copy, history.to_json())
        known = store.find(copy.sha256)
        if known and tag in (None, known.tag):
            return known, known.load()
        convert(copy, work / "set")
        stored = store.save(work / "set", load_set(work / "set"), tag)
        return stored, stored.load()


@app.command()
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
) -> None:
    """Import win model, ROI model, metadata and history as one model set into the BentoML model store."""
    console = Console()
    if history and bets:
        sys.exit("import failed: --history and --bets exclude each other: give one")
    try:
        made = _read_history(history) if history else _history_of(bets, console) if bets else None
        stored, models = import_models(source or Settings.load().model_dir, history=made, tag=tag)
    except ModelError as error:
        sys.exit(f"import failed: {error.message}")
    except (ValidationError, ValueError) as error:
        sys.exit(f"settings: {error}")
    console.print(_table(stored, models))


def _read_history(path: Path) -> History:
    try:
        return History.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as cause:
        raise ModelError(f"{path} can't be read as a history ({cause}): make one with --bets") from cause


def _history_of(path: Path, console: Console) -> History:
    try:
        from pikkit.settled import read_settled  # noqa: PLC0415 - needs polars, which serving does without
    except ImportError as cause:
        raise ModelError("--bets needs polars: pip install polars, or make the history where it is") from cause
    settled, report = read_settled(path)
    for line in report.lines():
        console.print(line)
    return History.from_bets(settled)


def _table(stored: Stored, models: ModelSet) -> Table:
    table = Table(title=stored.tag, show_header=False)
    table.add_row("version", models.version + (" (starter models, simulated bets)" if models.starter else ""))
    for name, title in (("win", "win probability"), ("roi", "ROI")):
        engine = models.manifest["engines"][name]
        rounds = (
            f", {engine['rounds']} of {engine['rounds_pickled']} rounds"
            if engine.get("rounds") != engine.get("rounds_pickled")
            else ""
        )
        table.add_row(title, f"{engine['model']}{rounds}, served by {engine['type']}")
    table.add_row("features", str(len(models.spec.names)))
    table.add_row("history", f"{models.history.size:,} settled bets" if models.history.size else "no betting history")
    table.add_row("sha256", models.sha256[:16])
    return table


if __name__ == "__main__":
    app()

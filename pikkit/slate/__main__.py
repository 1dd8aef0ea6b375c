"""Grade every price of a slate against the other books' prices on the same line; the best edge first.

Exit codes: 0 graded; 1 nothing could be graded; 2 the file, the key or an option is wrong.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pikkit.bets.bet import OddsLimits
from pikkit.bets.names import same_name
from pikkit.bets.prediction import GRADES
from pikkit.errors import ModelError
from pikkit.files import why
from pikkit.models.importing import served_locally
from pikkit.models.rules import predictor_of
from pikkit.settings import Settings, WrongSetting
from pikkit.slate.grading import graded, read_shared
from pikkit.slate.reading import read_slate
from pikkit.slate.table import csv_of, table_of

_EXAMPLES = """\b
Examples:
  python -m pikkit.slate slate.json --grade A --grade B
  curl … | python -m pikkit.slate - --csv > graded.csv
  python -m pikkit.slate --fetch basketball_nba    (with ODDS_API_KEY set)
"""

_PLAIN: Mapping[str, Any] = {"markup": False, "emoji": False, "highlight": False}  # names are a stranger's text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _letters(given: list[str] | None) -> list[str]:
    letters = [grade.strip().upper() for grade in given or ()]
    for letter in letters:
        if letter not in GRADES:
            raise typer.BadParameter(f"{letter!r} is not one of {', '.join(GRADES)}")
    return letters


@app.command(help=__doc__, epilog=_EXAMPLES)
def main(  # noqa: PLR0913, PLR0917 - one for each option
    source: Annotated[str | None, typer.Argument(help="The slate, or - for standard input", metavar="FILE")] = None,
    fetch: Annotated[
        str | None, typer.Option(help="Ask The Odds API for a sport with the key in ODDS_API_KEY", metavar="SPORT_KEY")
    ] = None,
    books: Annotated[list[str] | None, typer.Option("--book", help="Only this sportsbook; may be repeated")] = None,
    markets: Annotated[list[str] | None, typer.Option("--market", help="Only this market; may be repeated")] = None,
    grades: Annotated[
        list[str] | None, typer.Option("--grade", help="Only this grade; may be repeated", callback=_letters)
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows of the table; 0: all")] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: rows and counts")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV")] = False,
) -> None:
    """Read, grade, print."""
    told = Console(stderr=True, soft_wrap=True, **_PLAIN)
    try:
        settings = Settings.load()
        given = None if fetch else _read(source)  # what can't be read is told before a set is waited for
        with ExitStack() as stack, ThreadPoolExecutor(1) as aside:
            loading = aside.submit(stack.enter_context, served_locally(settings.model_dir))  # in processes of its own
            with told.status("reading, and checking the models"):
                slate = read_slate(_fetched(fetch, settings) if fetch else given)
                read = read_shared(slate.bets, OddsLimits(settings.min_odds, settings.max_odds))
                models = loading.result()
            with told.status(f"grading {slate.outcomes:,} outcomes"):
                rows, errors = graded(slate.bets, read, models, predictor_of(settings), time.time())
    except ModelError as error:
        told.print(f"slate: {error.message}", style="red")
        raise typer.Exit(2) from None
    except WrongSetting as error:
        told.print(f"settings: {error}", style="red")
        raise typer.Exit(2) from None
    left_out = Counter(slate.left_out) + errors
    kept = _filtered(rows, books, markets, grades)
    if as_json:
        counts = {"outcomes": slate.outcomes, "graded": len(rows), "left_out": left_out}
        print(json.dumps({"rows": kept, **counts}))  # noqa: T201 - the answer to a program
    elif as_csv:
        sys.stdout.write(csv_of(kept))
    else:
        Console(width=None if sys.stdout.isatty() else 160, **_PLAIN).print(table_of(kept[:limit] if limit else kept))
    told.print(
        f"{slate.outcomes:,} outcomes: {len(rows):,} graded, {sum(left_out.values()):,} left out; {len(kept):,} match"
    )
    for reason, count in left_out.most_common():
        told.print(f"  {count:,} left out: {reason}")
    raise typer.Exit(0 if rows else 1)


def _read(source: str | None) -> object:
    if source is None:
        raise ModelError("give a file, - for standard input, or --fetch SPORT_KEY")
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return json.loads(text.removeprefix("\ufeff"))  # Windows begins files with a mark
    except (OSError, ValueError, RecursionError) as cause:
        raise ModelError(
            f"{source} can't be read as JSON ({why(cause)}): name a slate, or - for standard input"
        ) from cause


def _fetched(sport: str, settings: Settings) -> object:
    """The key goes into the request and nowhere else: errors name the sport alone."""
    if settings.odds_api_key is None:
        raise ModelError("--fetch needs the key of The Odds API in ODDS_API_KEY (environment or .env)")
    if not sport.replace("_", "").isalnum():
        raise ModelError(f"{sport!r} is no sport key: send one such as basketball_nba")
    import httpx  # noqa: PLC0415 - it takes a third of a second to import, and a file needs none

    asked = {"regions": "us,eu", "markets": "h2h,spreads,totals", "oddsFormat": "american"}
    key = settings.odds_api_key.get_secret_value()
    url = f"{str(settings.odds_api_url).rstrip('/')}/v4/sports/{sport}/odds"
    try:
        answer = httpx.get(url, params={**asked, "apiKey": key}, timeout=20)
        if answer.is_success:
            return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ModelError(f"The Odds API can't be reached for {sport} ({type(error).__name__})") from None
    hint = ": ODDS_API_KEY is wrong or used up" if answer.status_code in (401, 403, 429) else ""
    raise ModelError(f"The Odds API answers {answer.status_code} for {sport}{hint}")


def _filtered(
    rows: Sequence[dict[str, Any]],
    books: Sequence[str] | None,
    markets: Sequence[str] | None,
    grades: Sequence[str] | None,
) -> list[dict[str, Any]]:
    kept = rows
    for name, column, asked in (("book", "institution_name", books), ("market", "market", markets)):
        if asked:
            names = {same_name(column, value) for value in asked}
            kept = [row for row in kept if same_name(column, row[name]) in names]
    return [row for row in kept if not grades or row["grade"] in grades]


if __name__ == "__main__":
    app()

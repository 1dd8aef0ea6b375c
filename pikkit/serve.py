"""Check the settings, then run `bentoml serve` with what a proxy in front needs.

The service itself needs none of it: it can be started by `bentoml serve service:PikkitMlApi` directly.

Exit codes: 1 a setting is wrong or the port is taken, and the message says which; 2 an option is wrong; else those of
`bentoml serve`.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pikkit.bento.port import taken
from pikkit.settings import Settings, WrongSetting

__all__ = ["app", "command"]

KEEP_ALIVE_S = 75  # above the proxy's upstream keep-alive (60 s), so that it never reuses a connection that ends
GRACE_S = 35  # a little above the longest request

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def command(settings: Settings, target: str = "service:PikkitMlApi", *, reload: bool = False) -> list[str]:
    """What follows `bentoml` for these settings."""
    arguments = ["serve", target, "--host", settings.bind_host, "--port", str(settings.port)]
    arguments += ["--timeout-keep-alive", str(KEEP_ALIVE_S), "--timeout-graceful-shutdown", str(GRACE_S)]
    return [*arguments, "--reload"] if reload else arguments


@app.command(help=__doc__, epilog="Example: PORT=8001 WORKERS=2 python -m pikkit.serve")
def main(
    reload: Annotated[bool, typer.Option("--reload", help="Start anew when a file of the code changes")] = False,
) -> None:
    """Parse, check the settings, and go on as BentoML's own command."""
    try:
        settings = Settings.load()
    except WrongSetting as error:
        sys.exit(f"settings: {error}")
    if told := taken(settings.bind_host, settings.port):
        sys.exit(told)
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker per core: threads of one would only fight the others
    # In this process: a new one would import again, for 0.3 s, what is here.
    from bentoml_cli.cli import cli  # noqa: PLC0415 - it reads the environment when it is imported

    cli.main(command(settings, reload=reload), prog_name="bentoml")


if __name__ == "__main__":
    app()

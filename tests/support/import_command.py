"""`import_models.py` in this process: what it says and stores, without the start of an interpreter with all libraries.

System tests run it as it is typed (README, `make serve`). Users' files are read in a process of their own either way.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner, Result

import import_models
from pikkit.models import activation


def import_command(*arguments: str | Path, **environment: str | Path) -> Result:
    """Run it to its end; what it refuses is in `output` too."""
    told = {"COLUMNS": "200", **{name: str(value) for name, value in environment.items()}}
    return CliRunner().invoke(import_models.app, [str(argument) for argument in arguments], env=told)


@contextmanager
def own_store() -> Iterator[Path]:
    """The tests' store, BentoML's home, empty for a while; what comes into it is gone afterwards."""
    home = activation.home()
    models, aside = home / "models", home / "models-of-others"
    models.mkdir(parents=True, exist_ok=True)
    models.rename(aside)
    models.mkdir()
    try:
        yield home
    finally:
        shutil.rmtree(models)
        aside.rename(models)
        for record in home.glob("pikkit_active_import.json"):
            record.unlink()

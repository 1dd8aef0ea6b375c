"""Every command that a person types, as the command lines themselves know it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import typer.main

import import_models
from deploy.cli import app as deploy
from pikkit import serve
from pikkit.alerts.__main__ import app as alerts
from pikkit.slate.__main__ import app as slate
from training.cli import app as training

APPS = {
    "import_models.py": import_models.app,
    "-m pikkit.alerts": alerts,
    "-m pikkit.serve": serve.app,
    "-m pikkit.slate": slate,
    "-m training": training,
    "-m deploy": deploy,
}


@dataclass(frozen=True)
class Command:
    """`program` is what follows `python`; `name` is empty where the program is one command."""

    program: str
    name: str
    parsed: Any

    @property
    def line(self) -> str:
        return f"python {self.program} {self.name}".strip()

    @property
    def options(self) -> list[str]:
        """As they are typed, `--help` included."""
        names = [name for param in self.parsed.params for name in (*param.opts, *param.secondary_opts)]
        return [*(name for name in names if name.startswith("--")), "--help"]

    @property
    def takes_value(self) -> dict[str, tuple[str, ...]]:
        """Options that are followed by a value, with what it may be where that is a choice."""
        return {
            name: _choices(param)
            for param in self.parsed.params
            if param.param_type_name == "option" and not param.is_flag
            for name in param.opts
        }

    @property
    def arguments(self) -> tuple[str, ...]:
        """What its arguments may be, where that is a choice."""
        return tuple(word for one in self.parsed.params if one.param_type_name == "argument" for word in _choices(one))


def commands() -> Iterator[Command]:
    """All but the hidden ones."""
    for program, app in APPS.items():
        top: Any = typer.main.get_command(app)
        for name, parsed in getattr(top, "commands", {"": top}).items():
            if not parsed.hidden:
                yield Command(program, name, parsed)


def _choices(param: Any) -> tuple[str, ...]:
    annotation = param.type_descriptor.annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()

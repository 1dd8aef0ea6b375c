"""The command line: parse, call, map errors to exit codes. Nothing else."""

from deploy.cli import looking, releasing
from deploy.cli.shell import app, main

__all__ = ["app", "looking", "main", "releasing"]

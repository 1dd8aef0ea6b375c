"""The command line: parse, call, map errors to exit codes. Nothing else."""

from deploy.cli import host, looking, releasing
from deploy.cli.shell import app, main

__all__ = ["app", "host", "looking", "main", "releasing"]

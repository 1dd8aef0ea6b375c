"""The command line: parse, call, map errors to exit codes. Nothing else."""

from training.cli import fitting, judging, scoring
from training.cli.shell import app, main

__all__ = ["app", "fitting", "judging", "main", "scoring"]

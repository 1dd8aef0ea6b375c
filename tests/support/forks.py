"""Processes forked from one that has imported what they do: to import it takes longer than most of them run."""

import multiprocessing

__all__ = ["FORKS"]

FORKS = multiprocessing.get_context("forkserver")
# One list for all: a process has one such server, whichever of its tests starts it.
FORKS.set_forkserver_preload(["tests.support.deploy_stack", "tests.support.alert_worker"])

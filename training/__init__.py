"""Trains, validates and applies model sets: `python -m training`."""

import os

# Waiting threads of OpenMP burn a core: beside other processes that makes training twenty times as slow.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""What `bentoml containerize` starts from: a slim Python image, with nothing of a compiler in it."""

from __future__ import annotations

import os
import re

from bentoml.images import Image

__all__ = ["BASE_IMAGE", "container_image"]

BASE_IMAGE = "python:3.13-slim"


def container_image() -> Image:
    """The base image: BASE_IMAGE of the environment, best by digest (`python:3.13-slim@sha256:…`).

    BentoML's own Debian recipe installs build-essential, git and gnupg (0.6 GB); `distro="none"` leaves that out, as
    all that the service is locked to comes as wheels.
    """
    base = os.environ.get("BASE_IMAGE") or BASE_IMAGE
    found = re.search(r"(?:^|/)python:(3\.\d+)", base)
    version = found[1] if found else os.environ.get("BASE_IMAGE_PYTHON") or "3.13"
    return Image(base_image=base, distro="none", python_version=version, lock_python_packages=False)

"""The application, built at its first use: BentoML's parent process imports the service and never uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pikkit.app import Application

__all__ = ["LazyApplication"]


class LazyApplication:
    """Stands for an application that is yet to be built."""

    def __init__(self, build: Callable[[], Application]) -> None:
        self._build = build
        self._built: Application | None = None

    def get(self) -> Application:
        """The application; the first call builds it."""
        if self._built is None:
            self._built = self._build()
        return self._built

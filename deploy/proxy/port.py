"""The port to the proxy: four verbs. What is live is read back, never assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from deploy.proxy.route import Route
from deploy.slot import Slot

__all__ = ["Router"]


class Router(Protocol):
    """Sends requests to slots. For `lag_s` after `reconcile`, requests may still go to the addresses before it."""

    lag_s: float

    def reconcile(self, addresses: Mapping[Slot, Sequence[str]]) -> None:
        """Run the proxy with these addresses and the settings' structure: start it, or reload it when that changed.

        Raises:
            RouterError: it does not come up, or did not take the configuration; the old one is back in force.
        """
        ...

    def set(self, route: Route) -> None:
        """Make `route` live, and return only once it was read back.

        Raises:
            RouterError: it could not be made live; the old one still is.
        """
        ...

    def get(self) -> Route | None:
        """The route that is live, as the proxy itself tells; None when it has none or does not run."""
        ...

    def finalize(self) -> None:
        """Tidy up: forget routes that are no longer used."""
        ...

    def stop(self, *, grace_s: float) -> None:
        """Finish the requests in flight and end the proxy."""
        ...

    def running(self) -> bool:
        """Whether the proxy runs."""
        ...

    def wanted(self) -> bool:
        """Whether it should run: it was started, and not stopped on purpose."""
        ...

    def rotate_logs(self, limit: int) -> None:
        """Keep its logs from growing over `limit` bytes, where nothing else does."""
        ...

"""What BentoML's server is started with beyond its own options.

BentoML has no options for either: both rely on names inside of it and of uvicorn, which a test holds.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

import uvicorn.config
from bentoml._internal.utils import circus
from bentoml.exceptions import BentoMLConfigException

from pikkit.bento.port import taken

__all__ = ["bound_connections", "close_control_endpoint"]


def bound_connections() -> None:
    """Let uvicorn make our connections, whose headers have a deadline and a bound."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = "pikkit.web.connection:Connection"


def close_control_endpoint() -> None:
    """Let the process manager of the workers (circus) listen on sockets in a folder that is closed to other users.

    Its commands start programs. On the TCP port that BentoML gives it, any user of the machine may send them.
    """
    circus.create_standalone_arbiter = _private_arbiter


def _private_arbiter(watchers: list[Any], *, threaded: bool = False, **options: Any) -> Any:
    for listening in options.get("sockets") or ():
        if not listening.is_unix and (told := taken(listening.host, listening.port)):
            raise BentoMLConfigException(told)
    folder = tempfile.mkdtemp(prefix="pikkit-control-")  # mode 0700; a short name, as that of a socket is bounded
    make = circus.ThreadedArbiter if threaded else circus.Arbiter
    arbiter = make(
        watchers,
        endpoint=f"ipc://{folder}/commands",
        pubsub_endpoint=f"ipc://{folder}/events",
        check_delay=options.pop("check_delay", 10),
        **options,
    )
    arbiter.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return arbiter

"""Whether the port is free, before BentoML's process manager asks with a traceback."""

from __future__ import annotations

import socket

from pikkit.files import why

__all__ = ["taken"]


def taken(host: str, port: int) -> str | None:
    """Why nobody can listen there, and the remedy; None where one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as cause:
        return f"{host}:{port} can't be listened on ({why(cause)}): stop what listens there, or set PORT"
    return None

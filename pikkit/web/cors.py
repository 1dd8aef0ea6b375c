"""Cross-origin headers: who may call from a browser, and what it may read."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers

__all__ = ["Cors", "RawHeaders"]

_HEADERS = b"Content-Type, X-API-Key, X-Request-ID, X-Deployment-Target, If-None-Match, Authorization"
_EXPOSED = b"X-Request-ID, ETag, Retry-After, X-Served-By"
_MAX_AGE_S = b"7200"
# Chromium asks before a page reaches a private address (Private Network Access, later Local Network Access).
_NETWORKS = ("private", "local")

RawHeaders = list[tuple[bytes, bytes]]


class Cors:
    """The allowed origins: exact ones, or any without credentials."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> RawHeaders:
        """Headers of an ordinary answer to a request from `origin`."""
        if not origin:
            return [] if self._any else [(b"vary", b"Origin")]
        if self._any:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        if origin in self._origins:
            return [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", _EXPOSED),
                (b"vary", b"Origin"),
            ]
        return [(b"vary", b"Origin")]

    def preflight(self, request: Headers, methods: Sequence[str]) -> RawHeaders:
        """Headers of the answer to a preflight of a path that is served by `methods`, besides those of `headers`."""
        if not (self._any or request.get("origin") in self._origins):
            return []
        answer = [
            (b"access-control-allow-methods", ", ".join((*methods, "OPTIONS")).encode()),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", _MAX_AGE_S),
        ]
        answer += [
            (f"access-control-allow-{network}-network".encode(), b"true")
            for network in _NETWORKS
            if request.get(f"access-control-request-{network}-network") == "true"
        ]
        return answer

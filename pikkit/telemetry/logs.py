"""Logs: one JSON object per line in production, readable lines in development, to standard output.

BentoML's, uvicorn's and every other library's records go the same way, so that a collector meets one format. Known
secrets are blotted out of every line, whoever wrote it; what a terminal would obey, or take for the end of a line, is
written as Python writes it. Bodies and query strings are never logged.

Lines of one request share `request_id` (bind it with `structlog.contextvars.bind_contextvars`), and `trace_id`
while traces are sent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import sys
import time
from collections.abc import Sequence
from io import StringIO
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from pydantic import SecretStr
from pydantic_core import to_json
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from pikkit.bets.times import utc_text
from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered

__all__ = ["Repeated", "access", "configure", "get_logger"]

_FAULT = 500
_MAX_PATH = 200
_AGAIN_S = 60.0
_BLOT = "[secret]"
_OF_TRACEBACKS = "\n\t"
_QUIET = {"httpx": logging.WARNING, "httpcore": logging.WARNING, "uvicorn.access": logging.ERROR}


class _Access:
    """Share of requests that get a line, the least level that is written, and how; replaced by `configure`."""

    share = 1.0
    level: int = logging.INFO
    written: Sequence[Processor] = (structlog.dev.ConsoleRenderer(),)


def configure(settings: Settings) -> None:
    """Set up logging of the whole process; call once, before the first line, in every process."""
    level: int = logging.getLevelName(settings.log_level)
    _Access.share, _Access.level = settings.access_log, level
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.environment == "production")
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    if settings.otlp_endpoint:
        common.append(_add_trace)
    if as_json:
        common.append(structlog.processors.format_exc_info)
        render: Processor = structlog.processors.JSONRenderer(serializer=_as_json)
    else:
        # The default shows the locals of each frame: keys and tokens among them, and seconds to draw.
        render = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=_traceback)
    last: list[Processor] = [render, _Blotter(settings)]
    _Access.written = [_add_trace, *last] if settings.otlp_endpoint else last
    last = [_show, *last]
    structlog.configure(
        processors=[*common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Output,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_add_component, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else level)
    for name in ("bentoml", "uvicorn.error", "circus"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.getLogger("bentoml").setLevel(max(level, logging.INFO))
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))


def get_logger(name: str) -> Any:
    """A structlog logger: `log.info("event", key=value)`. Its lines carry `component=name`."""
    return structlog.get_logger(component=name)


class Repeated:
    """What may fail many times a second, told once a minute: a full disk in a line, a surprise with its traceback."""

    def __init__(self, log: Any, event: str) -> None:
        self._log = log
        self._event = event
        self._told = ("", 0.0)

    def __call__(self, cause: Exception) -> None:
        """It failed for this cause."""
        words, at = self._told
        if repr(cause) == words and time.monotonic() < at + _AGAIN_S:
            return
        self._told = (repr(cause), time.monotonic())
        if isinstance(cause, OSError):
            self._log.error(self._event, reason=cause.strerror or str(cause), file=cause.filename)
        else:
            self._log.error(self._event, exc_info=cause)


def access(answered: Sequence[Answered]) -> None:
    """A line for each request, all written at once.

    Sampled by ACCESS_LOG; what failed on our side is always logged, unless it is 0.
    """
    lines = []
    for one in answered:
        failed = one.status >= _FAULT
        if _Access.level > (logging.WARNING if failed else logging.INFO) or not (
            failed or _Access.share >= 1 or random.random() < _Access.share  # noqa: S311 - not a secret
        ):
            continue
        level = "warning" if failed else "info"
        if one.context is None:
            lines.append(_line(level, one))
        else:
            lines.append(one.context.run(_line, level, one))
    if lines and _Access.share:
        _Output().msg("\n".join(lines))


def _line(level: str, answered: Answered) -> Any:
    line: Any = {
        "component": "pikkit.access",
        "event": "request",
        "level": level,
        "method": answered.method[:16],
        "path": answered.path[:_MAX_PATH],
        "status": answered.status,
        "ms": round(answered.seconds * 1000, 2),
        "request_id": answered.request_id,
        "time": utc_text(answered.at, "auto"),
    }
    if answered.error is not None:
        line["error"] = answered.error
        line["path"] = _visible(line["path"])  # what is served has a path of ours
    for processor in _Access.written:
        line = processor(None, level, line)
    return line


class _Output:
    """Standard output. A line that can't be written (its disk is full) is lost: no fault of the request it is about."""

    def __init__(self, *_: Any) -> None:
        self._file = sys.stdout

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError):
            print(line, file=self._file, flush=True)

    debug = info = warning = error = critical = msg


def _as_json(event: EventDict, **_: Any) -> str:
    return to_json(event, fallback=repr, inf_nan_mode="null").decode()


def _visible(text: str, but: str = "") -> str:
    """The text with what can't be printed written as Python writes it, but for some characters."""
    return "".join(
        one if one.isprintable() or one in but else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _show(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = _visible(value, _OF_TRACEBACKS if name in ("exception", "stack") else "")
    return event


def _traceback(told: TextIO, cause: ExcInfo) -> None:
    plain = StringIO()
    structlog.dev.plain_traceback(plain, cause)
    told.write(_visible(plain.getvalue(), _OF_TRACEBACKS))


def _add_component(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["component"] = event["_record"].name
    return event


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event


class _Blotter:
    """Last processor: replaces every known secret in the finished line."""

    def __init__(self, settings: Settings) -> None:
        values = [getattr(settings, name) for name in type(settings).model_fields]
        flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
        told = [item.get_secret_value() for item in flat if isinstance(item, SecretStr) and item.get_secret_value()]
        written = {form for one in told for form in (one, repr(one)[1:-1])}
        in_json = {json.dumps(one, ensure_ascii=False)[1:-1] for one in written}
        self._secrets = sorted(written | in_json, key=len, reverse=True)  # one may begin with another

    def __call__(self, _logger: WrappedLogger, _method: str, line: Any) -> Any:
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, _BLOT)
        return line

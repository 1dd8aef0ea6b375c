"""JSON in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json
from starlette.responses import Response

from pikkit.errors import InvalidRequest

__all__ = ["json_response", "read_json"]


def read_json(body: bytes) -> Any:
    """The decoded body; NaN and Infinity are let through, since they are refused where a field has them.

    Raises:
        InvalidRequest: the body is not JSON.
    """
    try:
        return from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON ({error}): send a JSON object") from None


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON of `content`; what is no number leaves as null."""
    return Response(to_json(content, inf_nan_mode="null"), status, headers=headers, media_type="application/json")

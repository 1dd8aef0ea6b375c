"""How a batch goes through BentoML's adaptive batching, where traces are on: one request is one element, read before.

BentoML merges the elements of requests that wait at the same time and splits what is too long; as one element a
request stays whole, and with it the model set that it is graded by.
"""

from __future__ import annotations

from typing import Any

from bentoml import IODescriptor
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from pikkit.web.responses import json_response

__all__ = ["BatchInput", "BatchOutput"]


class BatchInput(IODescriptor):  # type: ignore[misc]
    """The argument of `batch_predict`: a list with the one job of this request."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    requests: list[Any]

    @classmethod
    async def from_http_request(cls, request: Request, _serde: Any) -> BatchInput:
        """The job that the gateway left in the request's state."""
        made: BatchInput = cls.model_construct(requests=[request.scope["state"]["batch"]])
        return made


class BatchOutput(IODescriptor):  # type: ignore[misc]
    """The result of `batch_predict`: a list with the one answer to this request."""

    @classmethod
    async def to_http_response(cls, obj: list[Any], _serde: Any) -> Response:
        """The answer as JSON."""
        return json_response(obj[0])

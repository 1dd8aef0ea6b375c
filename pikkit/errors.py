"""The error tree. Each error knows its HTTP status and code; its message names value, rule and remedy.

PikkitError
├── RequestError            the caller can mend it
│   ├── InvalidBet          400 invalid_bet          one bet breaks a rule
│   ├── InvalidRequest      400 invalid_request      the request as a whole does
│   ├── Unauthorized        401 unauthorized         no or a wrong key
│   ├── Forbidden           403 forbidden            the action is closed here
│   ├── NotFound            404 not_found
│   ├── MethodNotAllowed    405 method_not_allowed
│   ├── TooSlow             408 request_timeout      the body did not arrive in time
│   ├── ModelsRefused       409 models_refused       what lies in MODEL_DIR can't be served
│   ├── BodyTooLarge        413 body_too_large
│   ├── UnsupportedMedia    415 unsupported_media_type
│   └── HeadersTooLarge     431 headers_too_large
├── InternalError           500 internal_error       a fault of ours; the log has the cause
├── ServiceError            the caller may try again
│   ├── Overloaded          503 overloaded
│   ├── ModelsNotLoaded     503 models_not_loaded
│   └── TimedOut            504 timeout
└── ModelError              a model set can't be used (import and reload; never sent to a client as such)
    └── UnsafePickle        a pickle asks for something that is not on the allow-list
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from typing_extensions import TypedDict

__all__ = [
    "BodyTooLarge",
    "ErrorBody",
    "Forbidden",
    "HeadersTooLarge",
    "InternalError",
    "InvalidBet",
    "InvalidRequest",
    "MethodNotAllowed",
    "ModelError",
    "ModelsNotLoaded",
    "ModelsRefused",
    "NotFound",
    "Overloaded",
    "PikkitError",
    "RequestError",
    "ServiceError",
    "TimedOut",
    "TooSlow",
    "Unauthorized",
    "UnsafePickle",
    "UnsupportedMedia",
    "outlived",
]


class ErrorBody(TypedDict):
    """What stands under `error` in every error response."""

    code: str
    message: str
    field: str | None
    request_id: str | None
    retryable: bool


class PikkitError(Exception):
    """Base of all errors that this package raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def body(self, request_id: str | None = None) -> ErrorBody:
        """The error as clients see it."""
        return {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "request_id": request_id,
            "retryable": self.retryable,
        }


class RequestError(PikkitError):
    """The caller sent something that can't be served as it is."""

    status = 400
    code = "invalid_request"


class InvalidBet(RequestError):
    """One bet breaks a rule; `field` names which of its fields."""

    code = "invalid_bet"


class InvalidRequest(RequestError):
    """The request as a whole is malformed."""


class Unauthorized(RequestError):
    """The key or token is missing or wrong."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    """The action is not open to this caller, or not in this environment."""

    status = 403
    code = "forbidden"


class NotFound(RequestError):
    """No such path."""

    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class TooSlow(RequestError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"
    retryable = True


class ModelsRefused(RequestError):
    """What lies in MODEL_DIR can't be served; the old set keeps serving."""

    status = 409
    code = "models_refused"


class BodyTooLarge(RequestError):
    """The body exceeds the limit."""

    status = 413
    code = "body_too_large"


class UnsupportedMedia(RequestError):
    """The body is of a type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(RequestError):
    """The headers exceed the limit."""

    status = 431
    code = "headers_too_large"


class InternalError(PikkitError):
    """A fault of ours: the log has the cause, the client only the request id."""


class ServiceError(PikkitError):
    """The service can't answer now; the same request may succeed later."""

    status = 503
    code = "unavailable"
    retryable = True


class Overloaded(ServiceError):
    """More requests are in progress than may be."""

    code = "overloaded"


class ModelsNotLoaded(ServiceError):
    """No model set is loaded yet."""

    code = "models_not_loaded"


class TimedOut(ServiceError):
    """The answer took longer than is allowed."""

    status = 504
    code = "timeout"


class ModelError(PikkitError):
    """A model set can't be used. The message names the file, the rule and the remedy."""

    code = "invalid_model"


class UnsafePickle(ModelError):
    """A pickle asks for a global that is not on the allow-list."""

    code = "unsafe_pickle"


@contextmanager
def outlived(told: Callable[[Exception], object], *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Whatever goes wrong within the block ends the block alone, and is told: for loops that must outlive surprises.

    Args:
        told: takes the cause; it logs it, or notes what is lost.
        but: what is raised all the same.
    """
    try:
        yield
    except but:
        raise
    except Exception as cause:  # noqa: BLE001 - a full disk, a foreign library, a fault of ours: the next turn may do
        told(cause)

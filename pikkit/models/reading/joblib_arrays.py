"""Arrays as joblib writes them: a description in the pickle, and the array's bytes right behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pikkit.errors import UnsafePickle

__all__ = ["JoblibArray"]

_MOST_BYTES = 1 << 30


class JoblibArray:
    """Stands for joblib's own description of an array while a file is unpickled."""

    def read(self, file: str, state: Any, read: Callable[[int], bytes]) -> Any:
        """The array that follows.

        Args:
            file: for the message.
            state: what the pickle says of it.
            read: gives the next bytes of the file.

        Raises:
            UnsafePickle: it is none of plain numbers, or too large.
        """
        if type(state) is not dict:
            raise _refusal(file)
        dtype, shape, order = state.get("dtype"), state.get("shape"), state.get("order")
        if (
            not isinstance(dtype, np.dtype)
            or dtype.hasobject
            or type(shape) is not tuple
            or not all(type(length) is int and length >= 0 for length in shape)
            or order not in ("C", "F")
            or math.prod(shape) * dtype.itemsize > _MOST_BYTES
        ):
            raise _refusal(file)
        if state.get("numpy_array_alignment_bytes") is not None:
            read(read(1)[0])
        data = read(math.prod(shape) * dtype.itemsize)
        return np.frombuffer(data, dtype=dtype).reshape(shape, order=order).copy(order=order)


def _refusal(file: str) -> UnsafePickle:
    return UnsafePickle(
        f"{file} holds an array that is none of plain numbers: save the model itself, by joblib or pickle"
    )

"""How the names that a pickle may ask for may be used: as the pickle of a model uses them, and in no other way.

The list of names alone is not enough. An array of Python objects made over a buffer, or a dtype that hides that it
holds objects, turns bytes of the file into pointers; a tree whose children point outside of it reads memory that is
not its own; and attributes can be set on a class as well as on an instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pikkit.errors import UnsafePickle

__all__ = ["check_build", "check_call", "check_new", "check_tree"]

_DTYPE = re.compile(r"[<|=]?[biufcSUVO][0-9]{0,6}")
_LATIN = frozenset({"latin1", "latin-1"})
_DTYPE_PARTS = 8  # of what a pickle says of a dtype, and more of newer versions
_MAX_CLASSES = 1000
_DATA = (int, float, str, bytes, bool, type(None))


def check_call(file: str, function: Any, arguments: Any) -> None:
    """Before `function(*arguments)`.

    Raises:
        UnsafePickle: no model's pickle makes such a call.
    """
    name = getattr(function, "__name__", "")
    rule = _CALLS.get(name)
    if rule is None or type(arguments) is not tuple or not rule(arguments):
        raise _refusal(file, f"calls {name or type(function).__name__}")


def check_new(file: str, cls: Any, arguments: Any) -> None:
    """Before `cls.__new__(cls, *arguments)`.

    Raises:
        UnsafePickle: it is no estimator, or gets arguments.
    """
    if not _is_estimator(cls) or arguments != ():
        raise _refusal(file, f"makes {getattr(cls, '__name__', type(cls).__name__)}")


def check_build(file: str, target: Any, state: Any) -> bool:
    """Before the state of `target` is set; False where it is not to be set, as it is right without.

    Raises:
        UnsafePickle: no model's pickle sets such a state.
    """
    if isinstance(target, np.dtype):
        return _check_dtype(file, target, state)
    if type(target) is np.ndarray:
        sound = (
            type(state) is tuple
            and _has(state, 5)  # version, shape, dtype, order, data
            and isinstance(state[2], np.dtype)
            and isinstance(state[4], list if state[2].hasobject else (bytes, bytearray))
        )
    else:
        sound = _is_estimator(type(target)) and type(state) is dict and all(type(key) is str for key in state)
    if not sound:
        raise _refusal(file, f"sets the state of {getattr(target, '__name__', type(target).__name__)}")
    return True


def check_tree(file: str, built: Any) -> None:
    """After the state of a scikit-learn tree is set: every way through it must end inside of it.

    Raises:
        UnsafePickle: it does not.
    """
    if type(built).__name__ != "Tree":
        return
    left, right = np.asarray(built.children_left), np.asarray(built.children_right)
    here = np.arange(len(left))
    inner = left != -1
    for child in (left[inner], right[inner]):
        if not ((child > here[inner]) & (child < len(left))).all():
            raise _refusal(file, "has a tree whose branches lead outside of it: it builds Tree")
    if not ((built.feature[inner] >= 0) & (built.feature[inner] < built.n_features)).all():
        raise _refusal(file, "has a tree that asks for a feature beyond its own: it builds Tree")


def _check_dtype(file: str, target: np.dtype[Any], state: Any) -> bool:
    if type(state) is not tuple or len(state) < _DTYPE_PARTS or state[1] not in ("<", "|", "="):
        raise _refusal(file, "sets the state of dtype")
    names, fields, size = state[3:6]
    if names is None and fields is None and state[2] is None:
        return False  # its name told everything; flags of the file's own are what must not be set
    sound = (
        target.kind == "V"
        and state[2] is None
        and size == target.itemsize
        and type(fields) is dict
        and set(fields) == set(names)
        and all(_inside(field, size) for field in fields.values())
        and type(state[7]) is int
        and not state[7] & _OBJECT_FLAGS
    )
    if not sound:
        raise _refusal(file, "sets the state of dtype")
    return True


_OBJECT_FLAGS = 0x6F  # every flag of numpy's but NPY_NEEDS_PYAPI and NPY_ALIGNED_STRUCT, which plain records have


def _inside(field: Any, size: int) -> bool:
    return (
        type(field) is tuple
        and isinstance(field[0], np.dtype)
        and not field[0].hasobject
        and type(field[1]) is int
        and 0 <= field[1] <= size - field[0].itemsize
    )


def _is_estimator(cls: Any) -> bool:
    return isinstance(cls, type) and (
        cls.__module__.partition(".")[0] in ("sklearn", "xgboost") or cls.__name__ in ("OrderedDict", "JoblibArray")
    )


def _has(parts: tuple[Any, ...], count: int) -> bool:
    return len(parts) == count


def _plain_dtype(value: Any) -> bool:
    return isinstance(value, np.dtype) and not value.hasobject


def _dtype(a: tuple[Any, ...]) -> bool:
    return bool(a) and type(a[0]) is str and _DTYPE.fullmatch(a[0]) is not None and all(type(x) in _DATA for x in a[1:])


_CALLS: Mapping[str, Callable[[tuple[Any, ...]], bool]] = {
    "_reconstruct": lambda a: _has(a, 3) and a[0] is np.ndarray and a[1] == (0,),  # class, shape, kind
    "scalar": lambda a: _has(a, 2) and _plain_dtype(a[0]) and type(a[1]) is bytes,  # kind and value
    "_frombuffer": lambda a: _has(a, 4) and isinstance(a[0], (bytes, bytearray)) and _plain_dtype(a[1]),
    "dtype": _dtype,
    "encode": lambda a: _has(a, 2) and type(a[0]) is str and a[1] in _LATIN,  # text and encoding
    "bytearray": lambda a: not a or type(a[0]) is bytes or (type(a[0]) is str and len(a) > 1 and a[1] in _LATIN),
    "set": lambda a: _has(a, 1) and type(a[0]) is list,
    "OrderedDict": lambda a: not a or (_has(a, 1) and type(a[0]) is list),
    "_reconstructor": lambda a: _has(a, 3) and _is_estimator(a[0]) and a[1] is object and a[2] is None,
    "Tree": lambda a: (
        _has(a, 3)  # features, classes of each output, outputs
        and type(a[0]) is type(a[2]) is int
        and type(a[1]) is np.ndarray
        and a[1].shape == (a[2],)  # it is read as far as the number of outputs says
        and bool(((a[1] > 0) & (a[1] <= _MAX_CLASSES)).all())
    ),
}


def _refusal(file: str, does: str) -> UnsafePickle:
    return UnsafePickle(
        f"{file} {does[:200]} in a way that no model does: stopped there; "
        "pickle an XGBClassifier, XGBRegressor or a plain scikit-learn estimator"
    )

"""Restricted unpickling of foreign model files: an allow-list of names, checked before anything of the file runs.

A pickle is a program. `load_pickle` first reads it through without running it and refuses every name that is not on
the list; then it unpickles with the same list in force, in case the reading missed one. Callers run it in a child
process with limits (`pikkit.models.conversion`), so that even a bomb made of allowed parts harms nobody.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pikkit.errors import ModelError, UnsafePickle
from pikkit.models.reading.contents import foreign, read_content, remedy_for
from pikkit.models.reading.joblib_arrays import JoblibArray
from pikkit.models.reading.old_boosters import as_of_today
from pikkit.models.reading.pickle_rules import check_build, check_call, check_new, check_tree

__all__ = ["ALLOWED", "check_pickle", "load_pickle", "unpickle"]

_MAX_OPCODES = 20_000_000

_NUMPY = {
    (f"numpy.{package}.multiarray", name) for package in ("core", "_core") for name in ("_reconstruct", "scalar")
} | {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
}

_SKLEARN = {
    ("sklearn.linear_model._logistic", "LogisticRegression"),
    ("sklearn.linear_model._base", "LinearRegression"),
    ("sklearn.linear_model._ridge", "Ridge"),
    ("sklearn.ensemble._forest", "RandomForestClassifier"),
    ("sklearn.ensemble._forest", "RandomForestRegressor"),
    ("sklearn.ensemble._forest", "ExtraTreesClassifier"),
    ("sklearn.ensemble._forest", "ExtraTreesRegressor"),
    ("sklearn.tree._classes", "DecisionTreeClassifier"),
    ("sklearn.tree._classes", "DecisionTreeRegressor"),
    ("sklearn.tree._classes", "ExtraTreeClassifier"),
    ("sklearn.tree._classes", "ExtraTreeRegressor"),
    ("sklearn.tree._tree", "Tree"),
    ("sklearn.pipeline", "Pipeline"),
    ("sklearn.preprocessing._data", "StandardScaler"),
    ("sklearn.impute._base", "SimpleImputer"),
    ("sklearn.calibration", "CalibratedClassifierCV"),
    ("sklearn.calibration", "_CalibratedClassifier"),
    ("sklearn.calibration", "_SigmoidCalibration"),
    ("sklearn.frozen._frozen", "FrozenEstimator"),
    ("sklearn.isotonic", "IsotonicRegression"),
}
# Names that stand for something else here: how joblib writes arrays, and what XGBoost 1.x kept of its classes.
_STAND_INS: dict[tuple[str, str], type] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): JoblibArray,
    ("xgboost.compat", "XGBoostLabelEncoder"): OrderedDict,
}

# (module, name): what a pickle may ask for. All are plain constructors of data or of estimators.
ALLOWED = frozenset(
    {
        ("_codecs", "encode"),  # how protocol 2 writes bytes
        ("__builtin__", "bytearray"),  # and how it calls builtins
        ("__builtin__", "object"),
        ("__builtin__", "set"),
        ("builtins", "bytearray"),
        ("builtins", "object"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("copyreg", "_reconstructor"),
        ("xgboost.callback", "EarlyStopping"),
        ("xgboost.core", "Booster"),
        ("xgboost.sklearn", "XGBClassifier"),
        ("xgboost.sklearn", "XGBRegressor"),
    }
    | _NUMPY
    | _SKLEARN
)

_TEXT = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_PUT = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GET = frozenset({"GET", "BINGET", "LONG_BINGET"})
_REFUSED = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX"})


def load_pickle(path: Path) -> object:
    """The object in the file.

    Raises:
        UnsafePickle: it asks for a name that is not on the list; nothing of it ran.
        ModelError: it is missing, too large, or no pickle at all.
    """
    return unpickle(read_content(path), path.name)


def unpickle(data: bytes, name: str) -> object:
    """The object in a pickle's bytes; `name` is the file's, for messages. Errors as of `load_pickle`."""
    check_pickle(data, name)
    try:
        return _Restricted(io.BytesIO(data), name, holds_xgboost=_XGBOOST in data).load()
    except UnsafePickle:
        raise
    except MemoryError as cause:
        raise ModelError(f"{name} needs more memory than a model may: train and pickle it again") from cause
    except Exception as cause:  # what a damaged pickle raises has no bounds
        said = " ".join(str(cause).split())[:200]
        old = "; " + _OLD if type(cause).__name__ == "XGBoostError" else ""
        raise ModelError(
            f"{name} can't be unpickled ({type(cause).__name__}: {said}): pickle the model again with the versions in "
            f"requirements/serve.txt{old}"
        ) from cause


_OLD = "or, with the XGBoost that made it, model.save_model('model.json'), and put that in its place"
_XGBOOST = b"xgboost.sklearn"


def check_pickle(data: bytes, name: str) -> None:
    """Read a pickle through without running it.

    Raises:
        UnsafePickle: it asks for a name that is not on the list, or hides what it asks for.
        ModelError: it is no pickle, or has no end.
    """
    other = foreign(data)
    if other:
        raise ModelError(f"{name} is {other}")
    if data[:1] != b"\x80" and not data.rstrip().endswith(b"."):
        raise ModelError(f"{name} is no pickle and no model of XGBoost's: put the model's own file there")
    begun = False
    try:
        for found in _globals(data):
            begun = True
            if found is None:
                raise UnsafePickle(f"{name} hides what it asks for: nothing of it was run; pickle the model itself")
            if _STAND_INS.get(found) is JoblibArray:
                return  # what follows is no pickle but the array; the rest is checked in force, name by name
            if found not in ALLOWED and found not in _STAND_INS:
                raise _refusal(name, *found, holds_xgboost=_XGBOOST in data)
    except ValueError as cause:
        kind = "is a pickle that is cut off or damaged" if begun or data[:1] == b"\x80" else "is no pickle"
        raise ModelError(f"{name} {kind} ({str(cause)[:120]}): put the model's own file there again") from cause


def _pair(names: list[str]) -> tuple[str, str] | None:
    match names:
        case [module, attribute]:
            return module, attribute
    return None


def _globals(data: bytes) -> Iterator[tuple[str, str] | None]:
    """Every (module, name) that the pickle asks for; None where it can't be told."""
    memo: dict[int, str | None] = {}
    latest: list[str | None] = []  # what the last operations pushed, as far as it is text
    stream = io.BytesIO(data)
    operations: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]] = pickletools.genops(stream)
    for count, (opcode, argument, _) in enumerate(operations):
        name = opcode.name
        if count > _MAX_OPCODES:
            raise ValueError(f"over {_MAX_OPCODES:,} operations")
        if name in _REFUSED:
            yield None
        elif name == "GLOBAL":
            module, _, attribute = str(argument).partition(" ")
            yield module, attribute
            latest.append(None)
        elif name == "STACK_GLOBAL":
            yield _pair([text for text in latest[-2:] if text is not None])
            latest.append(None)
        elif name in _TEXT:
            latest.append(str(argument))
        elif name == "MEMOIZE":
            memo[len(memo)] = latest[-1] if latest else None
        elif name in _PUT:
            memo[int(argument)] = latest[-1] if latest else None
        elif name in _GET:
            latest.append(memo.get(int(argument)))
        elif opcode.stack_after or opcode.stack_before:
            latest.append(None)
        del latest[:-2]
    if stream.read(1):
        raise ValueError("something follows its end")


_Unpickler: Any = pickle._Unpickler  # noqa: SLF001 - only the one in Python can check calls


class _Restricted(_Unpickler):  # type: ignore[misc]
    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, name: str, *, holds_xgboost: bool) -> None:
        super().__init__(file)
        self._name = name
        self._holds_xgboost = holds_xgboost

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        if (module, name) not in ALLOWED:
            raise _refusal(self._name, module, name, holds_xgboost=self._holds_xgboost)
        found: object = super().find_class(module, name)
        return found

    def persistent_load(self, pid: object) -> object:
        raise UnsafePickle(f"{self._name} refers to {str(pid)[:60]!r} outside of itself: pickle the model itself")

    def load_reduce(self) -> None:
        check_call(self._name, *self.stack[-2:])
        super().load_reduce()

    def load_newobj(self) -> None:
        check_new(self._name, *self.stack[-2:])
        super().load_newobj()

    def load_build(self) -> None:
        state = self.stack[-1]
        if type(self.stack[-2]) is JoblibArray:
            self.stack[-2:] = [self.stack[-2].read(self._name, state, self.read)]
        elif check_build(self._name, self.stack[-2], state):
            if type(self.stack[-2]).__name__ == "Booster" and isinstance(state.get("handle"), (bytes, bytearray)):
                state["handle"] = bytearray(as_of_today(bytes(state["handle"])))
            super().load_build()
            check_tree(self._name, self.stack[-1])
        else:  # it is as it should be without
            self.stack.pop()

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build


def _refusal(file: str, module: str, name: str, *, holds_xgboost: bool) -> UnsafePickle:
    return UnsafePickle(
        f"{file} asks for {module[:80]}.{name[:80]}, which is not on the list of allowed names: nothing of it ran; "
        + remedy_for(module, holds_xgboost=holds_xgboost)
    )

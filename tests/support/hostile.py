"""Pickles that try to do something, as bytes. Each would leave a file behind if any of it ran."""

import io
import pickle
import struct
from pathlib import Path


def _calls(module: str, name: str, *arguments: object) -> bytes:
    """A pickle whose load calls module.name(*arguments), by GLOBAL and REDUCE."""
    out = io.BytesIO()
    out.write(b"\x80\x02c" + f"{module}\n{name}\n".encode())
    pickler = pickle.dumps(arguments, protocol=2)
    out.write(pickler[2:-1] + b"R.")
    return out.getvalue()


def _stack_global(module: str, name: str, argument: str) -> bytes:
    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x8c" + bytes([len(raw)]) + raw

    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


def _memoized_global(module: str, name: str, argument: str) -> bytes:
    """The names come from the memo in another order than they were put there."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x8c" + bytes([len(raw)]) + raw

    return b"\x80\x04" + text(name) + b"\x94" + text(module) + b"\x94" + b"h\x01h\x00\x93" + text(argument) + b"\x85R."


_NDARRAY = b"cnumpy\nndarray\n"
_OBJECTS = b"cnumpy\ndtype\n(U\x02O8\x89\x88tR"
_RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n(" + _NDARRAY + b"K\x00\x85U\x01btR"
_TREE = b"\x80\x04\x8c\x12sklearn.tree._tree\x8c\x04Tree\x93"


def misuses() -> dict[str, bytes]:
    """Pickles of allowed names only, that would turn bytes of theirs into pointers, or set attributes of classes."""
    pointer = b"U\x08AAAAAAAA"
    return {
        "array of objects over a buffer": b"\x80\x02" + _NDARRAY + b"(K\x01\x85" + _OBJECTS + pointer + b"tR.",
        "the same by __new__": b"\x80\x02" + _NDARRAY + b"(K\x01\x85" + _OBJECTS + pointer + b"t\x81.",
        "array of objects from bytes": b"\x80\x02"
        + _RECONSTRUCT
        + b"(K\x01K\x01\x85"
        + _OBJECTS
        + b"\x89"
        + pointer
        + b"tb.",
        "dtype with an object inside": b"\x80\x02cnumpy\ndtype\n(U\x02V8\x89\x88tR(K\x03U\x01|NU\x01a\x85}U\x01a"
        + _OBJECTS
        + b"K\x00\x86sK\x08K\x01K\x00tb.",
        "dtype with a field outside": b"\x80\x02cnumpy\ndtype\n(U\x02V8\x89\x88tR(K\x03U\x01|NU\x01a\x85}U\x01a"
        b"cnumpy\ndtype\n(U\x02f8\x89\x88tRK\x64\x86sK\x08K\x01K\x00tb.",
        "scalar of a pickled object": b"\x80\x02cnumpy._core.multiarray\nscalar\n" + _OBJECTS + pointer + b"\x86R.",
        "attributes of a class": b"\x80\x02cxgboost.sklearn\nXGBClassifier\nN}U\x07predictcbuiltins\nset\ns\x86b.",
        "attributes by slots": b"\x80\x02cxgboost.sklearn\nXGBClassifier\n)\x81N}U\x09__class__"
        b"cxgboost.core\nBooster\ns\x86b.",
        "an encoding of its own": _calls("_codecs", "encode", "x", "rot13"),
        "a class called": _calls("xgboost.core", "Booster"),
        "a class made with arguments": b"\x80\x02cxgboost.core\nBooster\nK\x01\x85\x81.",
    }


def corpus(marker: Path) -> dict[str, bytes]:
    """Hostile pickles by name; `marker` is the file that must not appear."""
    touch = f"touch {marker}"
    python = f"open({str(marker)!r}, 'w')"
    inner = _calls("os", "system", touch)
    nested = b"\x80\x02cpickle\nloads\n" + b"B" + struct.pack("<I", len(inner)) + inner + b"\x85R."
    return {
        "os.system": _calls("os", "system", touch),
        "posix.system": _calls("posix", "system", touch),
        "nt.system": _calls("nt", "system", touch),
        "subprocess.Popen": _calls("subprocess", "Popen", ["touch", str(marker)]),
        "builtins.eval": _calls("builtins", "eval", python),
        "builtins.exec": _calls("builtins", "exec", python),
        "builtins.__import__": _calls("builtins", "__import__", "antigravity"),
        "builtins.getattr": _calls("builtins", "getattr", "x", "upper"),
        "operator.attrgetter": _calls("operator", "attrgetter", "system"),
        "pip.main": _calls("pip", "main", ["install", "nothing"]),
        "webbrowser.open": _calls("webbrowser", "open", "http://127.0.0.1:9/"),
        "runpy": _calls("runpy", "_run_code", python, {}),
        "timeit": _calls("timeit", "timeit", python),
        "torch loader": _calls("torch.storage", "_load_from_bytes", b"x"),
        "joblib loader": _calls("joblib.numpy_pickle", "NumpyArrayWrapper", "x"),
        "numpy's own runstring": _calls("numpy.testing._private.utils", "runstring", python, {}),
        "sklearn's joblib": _calls("sklearn.externals.joblib", "load", str(marker)),
        "pickle in a pickle": nested,
        "stack global": _stack_global("os", "system", touch),
        "names out of the memo": _memoized_global("os", "system", touch),
        "module by another door": _calls("xgboost.core", "os.system", touch),
        "allowed module, other name": _calls("xgboost.core", "ctypes", touch),
        "persistent id": b"\x80\x02K\x01Q.",
        "extension registry": b"\x80\x02\x82\x01.",
        "old instance opcode": f"(S'{touch}'\nios\nsystem\n.".encode(),
        "hidden behind an allowed call": _calls("collections", "OrderedDict")[:-1] + _calls("os", "system", touch)[2:],
    }


def bombs() -> dict[str, bytes]:
    """Pickles of allowed names only, that ask for more memory than a model may have."""
    return {
        "bytearray of 100 TB": _calls("builtins", "bytearray", 10**14),
        "announced bytes that are not there": b"\x80\x05\x8e" + struct.pack("<Q", 10**14) + b"x.",
    }

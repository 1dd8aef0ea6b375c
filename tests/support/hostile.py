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

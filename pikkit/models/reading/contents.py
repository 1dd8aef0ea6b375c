"""What a model file holds, by its content: a pickle, XGBoost's own format, either of them compressed, or neither."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pikkit.errors import ModelError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["MAX_BYTES", "foreign", "is_native", "read_content", "remedy_for"]

MAX_BYTES = 256 * 1024 * 1024
_START = 4096

_UNPACK: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x5d\x00\x00": lzma.decompress,
    b"\x28\xb5\x2f\xfd": zstd.decompress,
    b"\x78\x01": zlib.decompress,
    b"\x78\x5e": zlib.decompress,
    b"\x78\x9c": zlib.decompress,
    b"\x78\xda": zlib.decompress,
}
# What files of other kinds begin with: what it is, and how to bring it here.
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (
        b"\x04\x22\x4d\x18",
        "a file compressed by LZ4: save the model with joblib.dump(model, path, compress=('gzip', 3))",
    ),
    (b"PK\x03\x04", "a zip archive (skops, Keras or PyTorch): pickle the estimator itself, or train it with XGBoost"),
    (b"\x89HDF", "an HDF5 file (Keras): train the model with XGBoost or scikit-learn"),
    (b"CBM1", "a CatBoost model: train it with XGBoost or scikit-learn"),
    (b"tree\nversion=", "a LightGBM model: train it with XGBoost (XGBClassifier, XGBRegressor)"),
    (b"<", "a page or an XML file: copy the model itself"),
    (b"version https://git-lfs", "a pointer of Git LFS: `git lfs pull` fetches the model"),
)
# What pickles of other kinds ask for: what it is, and how to bring it here.
_LIBRARIES: tuple[tuple[str, str], ...] = (
    ("lightgbm", "a LightGBM model: train it with XGBoost (XGBClassifier, XGBRegressor)"),
    ("catboost", "a CatBoost model: train it with XGBoost (XGBClassifier, XGBRegressor)"),
    ("torch", "a PyTorch model: train it with XGBoost or scikit-learn"),
    ("keras", "a Keras model: train it with XGBoost or scikit-learn"),
    ("tensorflow", "a TensorFlow model: train it with XGBoost or scikit-learn"),
    ("sklearn.model_selection", "a search or its parts: pickle `search.best_estimator_`"),
    (
        "sklearn.compose",
        "a ColumnTransformer: encode beforehand (encoders in the metadata), and pickle the model behind it",
    ),
    ("sklearn.ensemble._gb", "scikit-learn's gradient boosting: train an XGBClassifier or XGBRegressor"),
    (
        "sklearn.ensemble._hist_gradient_boosting",
        "scikit-learn's histogram boosting: train an XGBClassifier or XGBRegressor",
    ),
    ("sklearn.ensemble._stacking", "a stack of models: pickle one of them, or train an XGBClassifier"),
    ("sklearn.ensemble._voting", "a vote of models: pickle one of them, or train an XGBClassifier"),
    ("sklearn.neural_network", "a neural network: train an XGBClassifier or XGBRegressor"),
    ("sklearn.svm", "a support vector machine: train an XGBClassifier or XGBRegressor"),
    (
        "sklearn.preprocessing",
        "an encoder or scaler that is not known here: encode beforehand, and pickle the model alone",
    ),
    ("pandas", "a pandas object beside the model: pickle the model alone"),
)


def read_content(path: Path) -> bytes:
    """The file's content, unpacked.

    Raises:
        ModelError: it is missing, too large, empty or cut off.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path.name} has {size:,} bytes: a model has at most {MAX_BYTES:,}")
        data = path.read_bytes()
    except OSError as cause:
        raise ModelError(f"{path.name} can't be read ({cause.strerror}): check MODEL_DIR and its rights") from cause
    if not data:
        raise ModelError(f"{path.name} is empty: copy it again")
    unpack = next((found for start, found in _UNPACK.items() if data.startswith(start)), None)
    if unpack is None:
        return data
    try:
        return unpack(data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstd.ZstdError) as cause:
        raise ModelError(f"{path.name} is compressed and cut off or damaged: copy it again") from cause


def is_native(data: bytes) -> bool:
    """Whether it is XGBoost's own format, UBJSON or JSON."""
    return data[:1] == b"{" and b"learner" in data[:_START]


def foreign(data: bytes) -> str | None:
    """What it is, and the way to bring it here, for what is no model of ours by its first bytes."""
    return next((words for start, words in _FOREIGN if data.startswith(start)), None)


def remedy_for(module: str, *, holds_xgboost: bool) -> str:
    """What a pickle that asks for a name of this module is, and the way to bring it here."""
    known = next((words for name, words in _LIBRARIES if module == name or module.startswith(f"{name}.")), None)
    known = known or next((words for name, words in _LIBRARIES if module.startswith(name)), None)
    if holds_xgboost and not known:
        return "save the XGBoost model in its own format, model.save_model('model.ubj'), and put that in its place"
    return f"it is {known}" if known else "pickle an XGBClassifier, XGBRegressor or a plain scikit-learn estimator"

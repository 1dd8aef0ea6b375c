"""Boosters within pickles of XGBoost 1.0 to 1.5, as today's XGBoost takes them.

1.0 pickled a model in its binary form (`include/xgboost/tree_model.h` and `src/gbm/gbtree_model.h` of that time say
how), later ones in JSON; today's reads neither from a pickle. What comes out is checked like any other model.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from pikkit.models.libraries import library

__all__ = ["as_of_today"]

_JSON, _BINARY = b'{"', b"CONFIG-offset:"
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("index", "<u4"), ("value", "<f4")])
_STATISTICS = np.dtype([("loss", "<f4"), ("hessian", "<f4"), ("weight", "<f4"), ("children", "<i4")])
_FLAG = np.uint32(1 << 31)  # in `parent`: a left child; in `index`: missing values go left
_NO_PARENT = (1 << 31) - 1  # as JSON has it
_MODEL_BYTES, _TREES_BYTES, _TREE_BYTES = 136, 160, 148  # parameters with what was reserved


def as_of_today(handle: bytes) -> bytes:
    """The content of a booster's `handle` in today's form; the same where it is of today.

    Raises:
        ValueError: it is cut off, or no form that is known.
        XGBoostError: XGBoost does not take it.
    """
    if handle.startswith(_JSON):
        model: Mapping[str, Any] = json.loads(handle)["Model"]
    elif handle.startswith(_BINARY):
        model = _Binary(handle[len(_BINARY) + 8 :]).model()
    else:
        return handle
    booster = library("xgboost").Booster()
    booster.load_model(bytearray(json.dumps(model).encode()))
    return bytes(booster.__getstate__()["handle"])


class _Binary:
    """Reads the form of 1.0 from its beginning on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def model(self) -> dict[str, Any]:
        """As JSON has it."""
        base_score, features, classes, has_attributes, _, major, minor = struct.unpack_from(
            "<fIiiiII", self._take(_MODEL_BYTES)
        )
        objective, booster = self._text(), self._text()
        if booster != "gbtree":
            raise ValueError(f"a booster {booster[:20]!r}")
        count = self._integers(_TREES_BYTES)[0]
        trees = [self._tree(number) for number in range(count)]
        outputs = np.frombuffer(self._take(4 * count), "<i4").tolist()
        attributes = {self._text(): self._text() for _ in range(self._length() if has_attributes else 0)}
        return {
            "version": [major, minor, 0],
            "learner": {
                "attributes": attributes,
                "feature_names": [],
                "feature_types": [],
                "learner_model_param": {
                    "base_score": str(base_score),
                    "num_class": str(classes),
                    "num_feature": str(features),
                },
                "objective": {"name": objective, "reg_loss_param": {"scale_pos_weight": "1"}},
                "gradient_booster": {
                    "name": booster,
                    "model": {
                        "gbtree_model_param": {"num_trees": str(count), "size_leaf_vector": "0"},
                        "trees": trees,
                        "tree_info": outputs,
                    },
                },
            },
        }

    def _tree(self, number: int) -> dict[str, Any]:
        _, count, deleted, _, features, *_ = self._integers(_TREE_BYTES)
        nodes = np.frombuffer(self._take(count * _NODE.itemsize), _NODE)
        statistics = np.frombuffer(self._take(count * _STATISTICS.itemsize), _STATISTICS)
        parents = nodes["parent"]
        return {
            "id": number,
            "tree_param": {
                "num_nodes": str(count),
                "num_deleted": str(deleted),
                "num_feature": str(features),
                "size_leaf_vector": "0",
            },
            "left_children": nodes["left"].tolist(),
            "right_children": nodes["right"].tolist(),
            "parents": np.where(parents == -1, _NO_PARENT, parents & _NO_PARENT).tolist(),
            "split_indices": (nodes["index"] & ~_FLAG).tolist(),
            "default_left": (nodes["index"] >= _FLAG).tolist(),
            "split_conditions": nodes["value"].tolist(),
            "loss_changes": statistics["loss"].tolist(),
            "sum_hessian": statistics["hessian"].tolist(),
            "base_weights": statistics["weight"].tolist(),
            "leaf_child_counts": statistics["children"].tolist(),
            "split_type": [0] * count,
            **{f"categories{part}": [] for part in ("", "_nodes", "_segments", "_sizes")},
        }

    def _take(self, length: int) -> bytes:
        found = self._data[self._at : self._at + length]
        if length < 0 or len(found) < length:
            raise ValueError("a booster that is cut off")
        self._at += length
        return found

    def _integers(self, length: int) -> tuple[int, ...]:
        return struct.unpack(f"<{length // 4}i", self._take(length))

    def _length(self) -> int:
        return int.from_bytes(self._take(8), "little")

    def _text(self) -> str:
        return self._take(self._length()).decode()

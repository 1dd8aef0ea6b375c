"""Trees that stay inside of their own memory: every index and count that native code follows unchecked.

XGBoost and scikit-learn trust what a file says of a tree. A feature beyond the row, a child beyond the nodes or an
output beyond the answers reads memory that is not the model's, and a child that leads back never ends. XGBoost loads
all of these without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pikkit.bets.numbers import Ints
from pikkit.errors import UnsafePickle

__all__ = ["check_booster", "check_estimator"]

_MAX_DEPTH = 512  # explanations take memory by the square of it, and native code recurses
_MAX_CATEGORY = 100_000  # a split by category takes a bit for each below its largest
_PER_NODE = (
    "left_children",
    "right_children",
    "split_indices",
    "split_conditions",
    "split_type",
    "default_left",
    "parents",
    "sum_hessian",
    "base_weights",
)


def check_booster(file: str, model: Mapping[str, Any], features: int) -> None:
    """Check a booster of XGBoost's.

    Args:
        file: for the message.
        model: what `save_raw("json")` says of it, the part `learner`.
        features: of a row.

    Raises:
        UnsafePickle: it could read what is not its own.
    """
    gradient = model["gradient_booster"]
    gbtree = gradient.get("gbtree", gradient)["model"]
    if "trees" not in gbtree:
        return  # a linear booster, which is refused for what it is
    trees = gbtree["trees"]
    count = len(trees)
    counts = model["learner_model_param"]
    rounds = list(gbtree.get("iteration_indptr", [0, count]))
    _require(
        file,
        int(counts["num_feature"]) == features
        and int(counts["num_class"]) <= 1
        and int(counts["num_target"]) == 1
        and int(gbtree["gbtree_model_param"]["num_trees"]) == count == len(gbtree["tree_info"])
        and not any(gbtree["tree_info"])  # the output that a tree adds to; there is one
        and rounds == sorted(rounds)
        and (rounds[0], rounds[-1]) == (0, count)
        and len(gradient.get("weight_drop", trees)) == count
        and len(gbtree.get("weight_drop", [])) <= count,  # where XGBoost 3.4 and later have it
        f"counts of trees, outputs or features that don't agree with each other and {features} features",
    )
    for number, tree in enumerate(trees):
        nodes = int(tree["tree_param"]["num_nodes"])
        whole = nodes > 0 and all(len(tree[name]) == nodes for name in _PER_NODE)
        same = int(tree["tree_param"]["num_feature"]) in (0, features)
        _require(file, whole and same and int(tree["tree_param"]["size_leaf_vector"]) <= 1, f"a tree {number} of parts")
        left, right = (np.asarray(tree[name], dtype=np.int64) for name in ("left_children", "right_children"))
        inner = _walked(file, left, right, number)
        splits = np.asarray(tree["split_indices"], dtype=np.int64)[inner]
        _require(
            file,
            bool(((splits >= 0) & (splits < features)).all()),
            f"a tree {number} that asks for a feature of no row",
        )
        _check_categories(file, tree, nodes, number)


def check_estimator(file: str, model: Any) -> None:
    """Check every tree within an estimator, of scikit-learn's or XGBoost's.

    Raises:
        UnsafePickle: one could read what is not its own.
    """
    for estimator, width in _with_trees(file, model, None):
        if hasattr(estimator, "get_booster"):
            check_booster(file, json.loads(bytes(estimator.get_booster().save_raw("json")))["learner"], width)
            continue
        tree = estimator.tree_
        _require(
            file,
            int(tree.n_features) == int(estimator.n_features_in_) == width
            and int(tree.n_outputs) == int(estimator.n_outputs_) == 1
            and int(tree.max_n_classes) == int(np.max(tree.n_classes)) == len(getattr(estimator, "classes_", [None])),
            f"a tree of {int(tree.n_features):,} features where rows have {width:,}",
        )
        splits = np.asarray(tree.feature)
        inner = _walked(file, np.asarray(tree.children_left), np.asarray(tree.children_right), 0, deepest=None)
        _require(
            file,
            bool(((splits[inner] >= 0) & (splits[inner] < width)).all()),
            "a tree that asks for a feature of no row",
        )


def _with_trees(file: str, estimator: Any, unchecked: int | None) -> Iterator[tuple[Any, int]]:
    """Every estimator that holds trees of its own, with the number of features that its rows have.

    That is its own `n_features_in_`, which it compares its rows with; but within a forest nobody compares.
    """
    parts = getattr(estimator, "estimators_", None)
    is_owner = hasattr(estimator, "tree_") or hasattr(estimator, "get_booster")
    width = unchecked
    if width is None and (is_owner or parts is not None):
        _require(file, hasattr(estimator, "n_features_in_"), "an estimator that does not say how many features it has")
        width = int(estimator.n_features_in_)
    if is_owner and width is not None:
        yield estimator, width
    for part in () if parts is None else np.asarray(parts, dtype=object).ravel().tolist():
        yield from _with_trees(file, part, width)
    for _, step in getattr(estimator, "steps", None) or ():
        yield from _with_trees(file, step, None)
    for calibrated in getattr(estimator, "calibrated_classifiers_", None) or ():
        yield from _with_trees(file, calibrated.estimator, None)


def _walked(file: str, left: Ints, right: Ints, number: int, deepest: int | None = _MAX_DEPTH) -> Ints:
    """Positions of the inner nodes that can be reached from the root, each by one way only."""
    nodes = len(left)
    seen = np.zeros(nodes, dtype=np.bool_)
    level = np.zeros(1, dtype=np.int64)
    inner: list[Ints] = []
    depth = 0
    while len(level):
        fresh = (level >= 0) & (level < nodes)
        _require(file, bool(fresh.all()) and len(np.unique(level)) == len(level) and not seen[level].any(), _LEADS_OUT)
        seen[level] = True
        splits = level[left[level] >= 0]
        _require(file, bool((right[splits] >= 0).all()), _LEADS_OUT)
        inner.append(splits)
        level = np.concatenate([left[splits], right[splits]]).astype(np.int64)
        depth += 1
        _require(file, deepest is None or depth <= deepest, f"a tree {number} deeper than {_MAX_DEPTH}")
    return np.concatenate(inner)


_LEADS_OUT = "a tree whose branches lead outside of it or back"


def _check_categories(file: str, tree: Mapping[str, Any], nodes: int, number: int) -> None:
    values = np.asarray(tree.get("categories", ()), dtype=np.int64)
    where: Sequence[Any] = [np.asarray(tree.get(f"categories_{name}", ()), dtype=np.int64) for name in _SEGMENTS]
    at, begins, sizes = where
    sound = (
        len(at) == len(begins) == len(sizes)
        and bool(np.isin(np.asarray(tree["split_type"]), (0, 1)).all())
        and bool(((at >= 0) & (at < nodes)).all())
        and bool(((begins >= 0) & (sizes >= 0) & (begins + sizes <= len(values))).all())
        and bool(((values >= 0) & (values < _MAX_CATEGORY)).all())
    )
    _require(file, sound, f"a tree {number} whose categories lie outside of it")


_SEGMENTS = ("nodes", "segments", "sizes")


def _require(file: str, sound: bool, has: str) -> None:
    if not sound:
        raise UnsafePickle(f"{file} has {has}: it could read memory that is not its own; train and save it again")

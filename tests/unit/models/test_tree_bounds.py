import json
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from pikkit.errors import UnsafePickle
from pikkit.models.reading.tree_bounds import check_booster, check_estimator
from tests.support.model_files import FEATURES, train
from tests.support.slow_import import Lazy

xgboost: Any = Lazy("xgboost")
ensemble: Any = Lazy("sklearn.ensemble")
impute: Any = Lazy("sklearn.impute")
pipeline: Any = Lazy("sklearn.pipeline")
sk_tree: Any = Lazy("sklearn.tree")

K = len(FEATURES)
FAR = 10**6


def learner(booster: xgboost.Booster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))["learner"]
    return found


@cache
def sound() -> str:
    return json.dumps(learner(train(1)[0].get_booster()))


@cache
def by_category() -> str:
    rows = np.random.default_rng(0).integers(0, 9, (300, K)).astype(np.float32)
    data = xgboost.DMatrix(rows, rows[:, 0] % 3 == 0, feature_types=["c"] * K, enable_categorical=True)
    parameters = {"objective": "binary:logistic", "max_cat_to_onehot": 1}
    return json.dumps(learner(xgboost.train(parameters, data, 3)))


@cache
def dart() -> str:
    rows = np.random.default_rng(0).random((100, K))
    model = xgboost.XGBRegressor(booster="dart", n_estimators=3, rate_drop=0.5, n_jobs=1)
    with warnings.catch_warnings(action="ignore"):  # XGBoost 3.4 and later call it deprecated
        model.fit(rows, rows[:, 0])
    return json.dumps(learner(model.get_booster()))


def weights_of_more_trees(model: dict[str, Any]) -> None:
    gradient = model["gradient_booster"]
    (gradient if "weight_drop" in gradient else gradient["model"])["weight_drop"].append(1.0)


def trees(model: dict[str, Any]) -> Any:
    gradient = model["gradient_booster"]
    return gradient.get("gbtree", gradient)["model"]


def tree(name: str, value: Any, at: int | None = 0) -> Callable[[dict[str, Any]], None]:
    """Write a value into an array of the first tree, or in place of it."""

    def change(model: dict[str, Any]) -> None:
        if at is None:
            trees(model)["trees"][0][name] = value
        else:
            trees(model)["trees"][0][name][at] = value

    return change


def _deep(model: dict[str, Any]) -> None:
    first, depth = trees(model)["trees"][0], 600
    nodes = 2 * depth + 1
    for name, values in first.items():
        if isinstance(values, list) and len(values) == int(first["tree_param"]["num_nodes"]):
            first[name] = [0] * nodes
    first["tree_param"]["num_nodes"] = str(nodes)
    first["left_children"] = [i + 2 if i % 2 == 0 and i + 2 < nodes else -1 for i in range(nodes)]
    first["right_children"] = [i + 1 if i % 2 == 0 and i + 2 < nodes else -1 for i in range(nodes)]


TAMPERED: dict[str, tuple[Callable[[], str], Callable[[dict[str, Any]], Any]]] = {
    "a feature beyond the row": (sound, tree("split_indices", FAR)),
    "a feature just beyond the row": (sound, tree("split_indices", K)),
    "a feature before the row": (sound, tree("split_indices", -1)),
    "a left child beyond the nodes": (sound, tree("left_children", FAR)),
    "a right child beyond the nodes": (sound, tree("right_children", FAR)),
    "a right child before the nodes": (sound, tree("right_children", -2)),
    "a child that leads back to the root": (sound, tree("left_children", 0)),
    "a child of two parents": (sound, lambda m: tree("left_children", trees(m)["trees"][0]["right_children"][0])(m)),
    "a child that leads back to its parent": (sound, tree("left_children", 1, at=1)),
    "fewer thresholds than nodes": (sound, tree("split_conditions", [0.5], at=None)),
    "fewer features than nodes": (sound, tree("split_indices", [0], at=None)),
    "fewer defaults than nodes": (sound, tree("default_left", [], at=None)),
    "more nodes than it has": (sound, lambda m: trees(m)["trees"][0]["tree_param"].update(num_nodes=str(FAR))),
    "no nodes": (sound, lambda m: trees(m)["trees"][0]["tree_param"].update(num_nodes="0")),
    "a tree of more features": (sound, lambda m: trees(m)["trees"][0]["tree_param"].update(num_feature=str(FAR))),
    "leaves of several values": (sound, lambda m: trees(m)["trees"][0]["tree_param"].update(size_leaf_vector="9")),
    "a tree too deep to explain": (sound, _deep),
    "a kind of split that is none": (sound, tree("split_type", 7)),
    "an output that is not there": (sound, lambda m: trees(m)["tree_info"].__setitem__(0, 5)),
    "fewer outputs than trees": (sound, lambda m: trees(m)["tree_info"].pop()),
    "more trees than there are": (sound, lambda m: trees(m)["gbtree_model_param"].update(num_trees=str(FAR))),
    "rounds beyond the trees": (sound, lambda m: trees(m)["iteration_indptr"].__setitem__(-1, FAR)),
    "rounds that run backwards": (sound, lambda m: trees(m)["iteration_indptr"].__setitem__(1, 9)),
    "more features than rows have": (sound, lambda m: m["learner_model_param"].update(num_feature=str(FAR))),
    "several classes": (sound, lambda m: m["learner_model_param"].update(num_class="3")),
    "several targets": (sound, lambda m: m["learner_model_param"].update(num_target="2")),
    "weights of more trees (dart)": (dart, weights_of_more_trees),
    "a feature beyond the row (dart)": (dart, tree("split_indices", FAR)),
    "categories of a node that is not there": (by_category, tree("categories_nodes", FAR)),
    "categories beyond the list": (by_category, tree("categories_segments", FAR)),
    "more categories than the list": (by_category, tree("categories_sizes", FAR)),
    "a category of a gigabyte": (by_category, tree("categories", 2**31 - 1)),
    "a category below zero": (by_category, tree("categories", -1)),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_booster_that_could_read_what_is_not_its_own_is_refused(name: str) -> None:
    made, tamper = TAMPERED[name]
    model = json.loads(made())
    check_booster("m.pkl", model, K)
    tamper(model)
    with pytest.raises(UnsafePickle, match=r"m\.pkl has .*not its own"):
        check_booster("m.pkl", model, K)


ROWS = np.random.default_rng(0).random((80, K))
WON = (ROWS[:, 0] > 0.5).astype(int)


def _claims(tree: Any, features: int, **nodes: int) -> Any:
    """The tree, made anew with other claims."""
    kind, arguments, state = tree.__reduce__()
    made = kind(features, *arguments[1:])
    state = {**state, "nodes": state["nodes"].copy()}
    for name, value in nodes.items():
        state["nodes"][name][0] = value
    made.__setstate__(state)
    return made


def _forest() -> Any:
    return ensemble.RandomForestClassifier(3, max_depth=3, random_state=0, n_jobs=1).fit(ROWS, WON)


def _in_forest(**nodes: int) -> Any:
    model = _forest()
    model.estimators_[1].tree_ = _claims(model.estimators_[1].tree_, FAR, **nodes)
    return model


def _own_word(**attributes: int) -> Any:
    model = _in_forest(feature=40_000)
    for name, value in attributes.items():
        setattr(model.estimators_[1], name, value)
    return model


def _without_word() -> Any:
    model = _forest()
    del model.n_features_in_
    return model


def _in_pipeline() -> Any:
    model = pipeline.make_pipeline(impute.SimpleImputer(), sk_tree.DecisionTreeClassifier(max_depth=3)).fit(ROWS, WON)
    model[-1].tree_ = _claims(model[-1].tree_, FAR, feature=40_000)
    return model


def _outputs() -> Any:
    model = ensemble.ExtraTreesRegressor(2, max_depth=2, random_state=0).fit(ROWS, ROWS[:, :2])
    model.n_outputs_ = 1
    return model


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "a tree of a forest that claims a million features": lambda: _in_forest(feature=40_000),
    "the same, where its own estimator says so too": lambda: _own_word(n_features_in_=FAR),
    "a tree of a forest that claims them without asking": _in_forest,
    "a tree alone": lambda: _in_pipeline()[-1],
    "a tree behind an imputer": _in_pipeline,
    "a forest that does not say": _without_word,
    "several outputs": _outputs,
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_whose_trees_could_read_what_is_not_theirs_is_refused(name: str) -> None:
    with pytest.raises(UnsafePickle, match="not its own"):
        check_estimator("m.pkl", ESTIMATORS[name]())


def test_sound_trees_pass() -> None:
    forest = _forest()
    for model in (
        *train(1),
        forest,
        forest.estimators_[0],
        pipeline.make_pipeline(impute.SimpleImputer(), _forest()).fit(ROWS, WON),
    ):
        check_estimator("m.pkl", model)

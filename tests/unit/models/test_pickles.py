import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pikkit.errors import ModelError, UnsafePickle
from pikkit.models.reading.pickles import load_pickle
from tests.support.hostile import bombs, corpus, misuses
from tests.support.model_files import train
from tests.support.slow_import import Lazy

tree: Any = Lazy("sklearn.tree")
tree_classes: Any = Lazy("sklearn.tree._tree")

NAMES = sorted(corpus(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_pickle_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "model.pkl"
    path.write_bytes(corpus(marker)[name])
    with pytest.raises(UnsafePickle, match=r"model\.pkl"):
        load_pickle(path)
    assert not marker.exists()


def test_the_corpus_is_large_and_the_refusal_names_what_was_asked_for(tmp_path: Path) -> None:
    assert len(NAMES) >= 15
    path = tmp_path / "model.pkl"
    path.write_bytes(corpus(tmp_path / "ran")["os.system"])
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        load_pickle(path)


@pytest.mark.parametrize("name", sorted(misuses()))
def test_allowed_names_used_as_no_model_uses_them_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(misuses()[name])
    with pytest.raises(UnsafePickle, match="in a way that no model does"):
        load_pickle(path)


def test_a_tree_that_leads_outside_of_itself_is_refused(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((50, 3))
    model = tree.DecisionTreeRegressor(max_depth=2).fit(rows, rows[:, 0])
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    assert load_pickle(path).predict(rows).tolist() == model.predict(rows).tolist()  # type: ignore[attr-defined]
    for name, value in (("left_child", 10**6), ("right_child", 0), ("feature", 99)):
        state = model.tree_.__getstate__()
        state["nodes"][name][0] = value
        path.write_bytes(pickle.dumps(_Builds(model.tree_, state)))
        with pytest.raises(UnsafePickle, match="Tree"):
            load_pickle(path)


@pytest.mark.parametrize("arguments", [(3, np.array([2]), 7), (3, np.array([10**9]), 1), (3, np.array([0]), 1)])
def test_a_tree_whose_outputs_are_not_there_is_refused_before_it_is_made(tmp_path: Path, arguments: Any) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(_Makes(arguments)))
    with pytest.raises(UnsafePickle, match="calls Tree"):
        load_pickle(path)


class _Makes:
    """Pickles as a call of Tree."""

    def __init__(self, arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> Any:
        return tree_classes.Tree, self._arguments


class _Builds:
    """Pickles as the tree does, with another state."""

    def __init__(self, tree: Any, state: dict[str, Any]) -> None:
        self._reduced = (*tree.__reduce__()[:2], state)

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_bomb_of_allowed_parts_is_an_error_and_not_the_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(bombs()[name])
    with pytest.raises(ModelError):
        load_pickle(path)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("value", [OrderedDict(a=1), bytearray(b"x"), np.arange(3.0), [1, {"a": (2, None)}]])
def test_plain_data_is_let_through(tmp_path: Path, protocol: int, value: object) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert repr(load_pickle(path)) == repr(value)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_models_are_let_through_and_predict_as_before(tmp_path: Path, protocol: int) -> None:
    rows = np.random.default_rng(0).random((20, 6))
    for model in train(1):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(model, protocol))
        loaded = load_pickle(path)
        assert loaded.predict(rows).tolist() == model.predict(rows).tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x05", b"{}", bytes(1000)])
def test_what_is_no_pickle_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.pkl"):
        load_pickle(path)


def test_every_shortening_of_a_model_is_an_error(tmp_path: Path) -> None:
    whole = pickle.dumps(train(1)[1])
    path = tmp_path / "model.pkl"
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelError, match=r"model\.pkl"):
            load_pickle(path)

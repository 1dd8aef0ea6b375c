import numpy as np
import pytest

from pikkit.errors import ModelError
from pikkit.grading.opinion import Opinion

MODEL, IMPLIED, FAIR = np.array([0.6, 0.6]), np.array([0.5, 0.5]), np.array([0.48, 0.48])
BOTH = np.array([False, True])


def combined(opinion: Opinion) -> list[float]:
    return [float(p) for p in opinion.combined(MODEL, IMPLIED, FAIR, reference=BOTH)]


def test_where_nobody_has_looked_a_reference_is_believed_and_beside_the_own_market_the_model() -> None:
    assert combined(Opinion()) == [0.6, 0.48]


def test_a_weight_of_0_is_the_market_and_of_1_all_that_the_model_says_beyond_the_price() -> None:
    assert combined(Opinion(weight_market=0.0, weight_reference=0.0)) == [0.48, 0.48]
    own, reference = combined(Opinion(weight_market=1.0, weight_reference=0.5))
    assert np.log(own / (1 - own)) == pytest.approx(np.log(0.48 / 0.52) + np.log(1.5))
    assert np.log(reference / (1 - reference)) == pytest.approx(np.log(0.48 / 0.52) + np.log(1.5) / 2)


def test_what_the_model_always_says_of_a_price_counts_for_nothing() -> None:
    opinion = Opinion(intercept=float(np.log(1.5)), slope=1.0, weight_market=1.0, weight_reference=1.0)
    assert combined(opinion) == pytest.approx([0.48, 0.48])


def test_metadata_gives_the_opinion_back() -> None:
    opinion = Opinion(0.1, 0.9, 0.3, 0.0, 0.2, 0.8)
    assert Opinion.from_metadata(opinion.to_metadata()) == opinion
    assert Opinion.from_metadata({}) == Opinion()
    ours = Opinion.from_metadata({"prior": {"intercept": 0}, "rounds": 0})
    assert (ours.trained_here, ours.knows_edges) == (True, False)
    assert Opinion.from_metadata({"prior": {"intercept": 0}, "rounds": 5}).knows_edges


WRONG = ({"intercept": float("inf")}, {"weight_market": 1e9}, {"weight_reference": -5}, {"weight_market": None})


@pytest.mark.parametrize(
    "metadata",
    [
        {"market": {}},
        {"market": 7},
        *({"market": {**Opinion(0.1, 0.9, 0.3, 0.0).to_metadata()["market"], **wrong}} for wrong in WRONG),  # type: ignore[dict-item]
        {"price_range": [1]},
        {"price_range": None},
        {"price_range": [0.1, float("nan")]},
        {"price_range": [0.9, 0.1]},
        {"price_range": [-1, 0.5]},
        {"price_range": [0.5, 50]},
    ],
)
def test_metadata_that_can_not_be_read_is_refused(metadata: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="price_range"):
        Opinion.from_metadata(metadata)

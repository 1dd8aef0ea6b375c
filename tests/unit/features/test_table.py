import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.odds import implied_probability
from pikkit.errors import ModelError
from pikkit.exports.settled import read_settled
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import FEATURES, PRIOR_BETS
from pikkit.history.history import History, SettledBets
from tests.support.need import root
from tests.support.settled import columns_of, settled
from tests.support.simulated import dirty_export

ENCODERS = {
    "sport": ["Basketball", "Tennis"],
    "league": ["NBA"],
    "market": ["Moneyline"],
    "institution_name": ["DraftKings"],
    "bet_type": ["straight"],
}
METADATA: Mapping[str, Any] = {"features": list(FEATURES), "encoders": ENCODERS}
SPEC = FeatureSpec.from_metadata(METADATA)
MONDAY_NOON = 1_769_428_800.0  # 2026-01-26T12:00:00Z


def features(history: History, spec: FeatureSpec = SPEC, **bet: Any) -> dict[str, float]:
    bets = settled([{"time": MONDAY_NOON, **bet}]).bets
    rows = build_rows(bets, history.lookup(bets), spec)
    return dict(zip(spec.names, rows.matrix[0].tolist(), strict=True))


def test_every_feature_is_named_described_and_finite_for_a_known_bet() -> None:
    found = features(History.from_bets(settled([{}, {"won": True}])))
    assert list(found) == list(FEATURES)
    assert all(feature.meaning and feature.words(0.0, {}) for feature in FEATURES.values())
    assert np.isfinite(list(found.values())).all()


def test_rates_are_shrunk_to_the_implied_probability_by_sample_size() -> None:
    some = features(History.from_bets(settled([{"won": True}] * 5)), odds=300.0)
    assert some["sport_win_rate"] == pytest.approx((5 + PRIOR_BETS * 0.25) / (5 + PRIOR_BETS))
    many = features(History.from_bets(settled([{"won": True}] * 5000)), odds=300.0)
    assert many["sport_win_rate"] > 0.99
    none = features(History.empty(), odds=300.0)
    assert none["sport_win_rate"] == none["implied_prob"] == none["recent_win_rate"] == 0.25


def test_ten_recent_results_do_not_outweigh_the_price() -> None:
    lost = features(History.from_bets(settled([{}] * 10)), odds=100.0)
    assert lost["recent_win_rate"] == pytest.approx(PRIOR_BETS * 0.5 / (10 + PRIOR_BETS))


def test_without_history_the_sample_is_0_or_what_the_operator_assumes() -> None:
    bets = settled([{}]).bets
    past = History.empty().lookup(bets)
    assert build_rows(bets, past, SPEC).sample_size.tolist() == [0]
    old = build_rows(bets, past, SPEC, neutral_count=100)
    assert old.sample_size.tolist() == [100]
    assert old.matrix[0, SPEC.names.index("institution_name_count")] == 100


def test_an_unknown_closing_line_is_not_a_closing_line_of_0() -> None:
    unknown, known = features(History.empty()), features(History.empty(), clv=2.0, odds=100.0)
    assert (unknown["has_clv"], unknown["clv_percentage"], unknown["clv_ev"]) == (0, 0, 0)
    assert (known["has_clv"], known["clv_percentage"], known["clv_ev"]) == (1, 2, 1)


def test_time_is_read_in_utc() -> None:
    found = features(History.from_bets(settled([{"time": MONDAY_NOON - 3 * 86_400}])))
    assert (found["day_of_week"], found["hour_of_day"], found["days_since_first_bet"]) == (0, 12, 3)


def test_an_unknown_category_is_missing_and_marked() -> None:
    bets = settled([{"league": "Moon League"}, {}]).bets
    rows = build_rows(bets, History.empty().lookup(bets), SPEC)
    assert math.isnan(rows.matrix[0, 1])
    assert rows.unknown_columns.tolist() == [[False, True, False, False, False], [False] * 5]


def test_a_spec_takes_its_columns_in_its_own_order() -> None:
    spec = FeatureSpec.from_metadata({"features": ["hour_of_day", "implied_prob"], "encoders": {}})
    assert features(History.empty(), spec, odds=100.0) == {"hour_of_day": 12, "implied_prob": 0.5}


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "features"),
        ({"features": []}, "features"),
        ({"features": [1]}, "features"),
        ({"features": ["moon_phase"], "encoders": {}}, "moon_phase"),
        ({"features": ["implied_prob", "implied_prob"], "encoders": {}}, "twice"),
        ({"features": ["implied_prob"]}, "encoders"),
        ({"features": ["sport_encoded"], "encoders": {"sport": []}}, "sport"),
        ({"features": ["implied_prob"], "encoders": {"sport": [1]}}, "list of names"),
    ],
)
def test_metadata_that_can_not_be_served_is_refused(metadata: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        FeatureSpec.from_metadata(metadata)


def test_bets_get_the_same_rows_one_by_one_as_in_bulk(tmp_path: Path) -> None:
    bets, _ = read_settled(dirty_export(3000, 5).write(tmp_path / "bets.csv"))
    _same_rows(bets, root() / "models/model_metadata_latest.json")


def test_real_bets_get_the_same_rows_one_by_one_as_in_bulk(real_dir: Path) -> None:
    bets, _ = read_settled(real_dir / "bets.csv.gz")
    _same_rows(bets, real_dir / "models/model_metadata_latest.json")


def _same_rows(bets: SettledBets, file: Path) -> None:
    metadata = json.loads(file.read_text())
    everything = {"features": list(FEATURES), "encoders": metadata["encoders"]}
    spec = FeatureSpec.from_metadata(everything)
    history = History.from_bets(bets)
    columns = bets.bets
    picked = list(range(0, len(bets), len(bets) // 2000))[:2000]
    bulk = build_rows(columns, history.lookup(columns), spec)
    for i in picked:
        bet = Bet.model_construct(
            **{name: getattr(columns, name)[i] for name in CATEGORICAL},
            odds=columns.odds[i],
            is_live=bool(columns.is_live[i]),
            clv_percentage=None if math.isnan(columns.clv_percentage[i]) else columns.clv_percentage[i],
            placed_at=None,
        )
        one = columns_of([bet], columns.placed_at[i])
        row = build_rows(one, history.lookup(one), spec)
        np.testing.assert_array_equal(row.matrix[0], bulk.matrix[i])
        assert row.sample_size[0] == bulk.sample_size[i]
        assert row.unknown_columns[0].tolist() == bulk.unknown_columns[i].tolist()
    assert len(picked) == 2000


def test_the_market_is_the_floor_of_what_a_bet_without_past_is_told() -> None:
    bets = settled([{"odds": odds} for odds in (-200.0, 100.0, 900.0)]).bets
    rows = build_rows(bets, History.empty().lookup(bets), SPEC)
    edges = [SPEC.names.index(name) for name in SPEC.names if name.endswith("_edge")]
    assert not rows.matrix[:, edges].any()
    np.testing.assert_allclose(
        rows.matrix[:, SPEC.names.index("sport_win_rate")], implied_probability(bets.odds), rtol=1e-6
    )

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
    assert all(feature.words(0.0, {}) for feature in FEATURES.values())
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


GROUP_WORDS = {
    "sport": "sport",
    "sport_market": "market",
    "sport_league": "league",
    "sport_league_market": "league and market",
    "institution_name": "sportsbook",
}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("league_encoded", 2.0, "the league"),
        ("bet_type_encoded", math.nan, "the missing bet type"),
        ("institution_name_encoded", 0.0, "the sportsbook"),
        ("implied_prob", 0.5238, "the price's implied probability of 52.4 %"),
        ("is_live", 0.0, "betting before the start"),
        ("is_live", 1.0, "betting live"),
        ("clv_percentage", 1.25, "the closing line value of +1.2 %"),
        ("clv_ev", -0.5, "the closing line value times implied probability of -0.5"),
        ("has_clv", 0.0, "an unknown closing line"),
        ("has_clv", 1.0, "a known closing line"),
        ("recent_win_rate", 0.525, "the recent win rate of 52 %"),
        ("day_of_week", 0.0, "the day (Monday)"),
        ("day_of_week", 6.0, "the day (Sunday)"),
        ("hour_of_day", 19.0, "the hour (19:00 UTC)"),
        ("days_since_first_bet", 30.0, "the age of the history (30 days)"),
        *(
            row
            for group, words in GROUP_WORDS.items()
            for row in (
                (f"{group}_win_rate", 0.5238, f"the {words}'s past win rate of 52.4 % over 12 bets"),
                (f"{group}_roi", -4.25, f"the {words}'s past ROI of -4.2 % over 12 bets"),
                (f"{group}_count", 12.0, f"the {words}'s number of past bets of 12"),
                (f"{group}_edge", 0.021, f"the {words}'s past results, +2.1 points against their prices,"),
            )
        ),
    ],
)
def test_a_feature_is_put_in_words_with_its_value(name: str, value: float, words: str) -> None:
    row = {f"{group}_count": 12.0 for group in GROUP_WORDS}
    assert FEATURES[name].words(value, row) == words
    assert FEATURES[name].words(value, {}) == words.removesuffix(" over 12 bets")


def test_what_past_bets_of_each_group_came_to_is_as_by_hand() -> None:
    past: list[dict[str, Any]] = [
        {"won": True, "odds": 150.0},
        {"odds": -200.0, "market": "Spread"},
        {"won": True, "odds": 300.0, "league": "WNBA"},
        {"odds": 100.0, "institution_name": "FanDuel"},
        {"won": True, "odds": -125.0, "sport": "Tennis"},
    ]
    members = {
        "sport": (0, 1, 2, 3),
        "sport_market": (0, 2, 3),
        "sport_league": (0, 1, 3),
        "sport_league_market": (0, 3),
        "institution_name": (0, 1, 2, 4),
    }
    implied, won = (0.4, 2 / 3, 0.25, 0.5, 125 / 225), (1, 0, 1, 0, 1)
    returned = (150.0, -100.0, 300.0, -100.0, 80.0)
    found = features(History.from_bets(settled(past)), odds=300.0)
    for group, rows in members.items():
        shrunk = len(rows) + PRIOR_BETS
        wins = sum(won[i] for i in rows)
        by_hand = {
            "win_rate": (wins + PRIOR_BETS * 0.25) / shrunk,
            "roi": sum(returned[i] for i in rows) / shrunk,
            "count": len(rows),
            "edge": (wins - sum(implied[i] for i in rows)) / shrunk,
        }
        for what, value in by_hand.items():
            assert found[f"{group}_{what}"] == pytest.approx(value, rel=1e-5), (group, what)
    assert found["recent_win_rate"] == pytest.approx((2 + PRIOR_BETS * 0.25) / (3 + PRIOR_BETS))


KNOWN = ", ".join(FEATURES)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "metadata has no list of `features`: name the columns the models were trained on"),
        ({"features": ["x" * 70], "encoders": {}}, f"feature '{'x' * 60}' is not known here: known are {KNOWN}"),
        ({"features": ["is_live"] * 2, "encoders": {}}, "metadata lists a feature twice: each column has one name"),
        ({"features": ["is_live"]}, "metadata has no `encoders`: give the list of classes of each encoded column"),
        (
            {"features": ["league_encoded"], "encoders": {}},
            "metadata has no encoder for league, which league_encoded needs",
        ),
        (
            {"features": ["is_live"], "encoders": {"market": "ML"}},
            "the encoder of market is not a list of names: position = code",
        ),
    ],
)
def test_why_metadata_can_not_be_served_is_told_in_full(metadata: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        FeatureSpec.from_metadata(metadata)
    assert caught.value.message == said

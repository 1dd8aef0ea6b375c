"""docs/models.md: what people have, and what happens. Each row stands for cases of tests, and each case for a row."""

import re
from collections.abc import Mapping, Sequence

import pytest

from tests.support.need import root

SHAPES, IMPORTS, CONVERTED, BOUNDS, REMARKS, FORMS, ROWS = (
    "service/test_set_shapes.py",
    "service/test_import_models.py",
    "service/test_converted_models.py",
    "unit/models/test_tree_bounds.py",
    "unit/models/test_remarks.py",
    "unit/exports/test_forms.py",
    "unit/exports/test_settled.py",
)
# The row by its first words; file, and the names of cases or tests in it.
CASES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "XGBClassifier, XGBRegressor": {
        CONVERTED: ["test_boosters_without_their_wrapper_and_callbacks_are_accepted"],
        "unit/models/test_pickles.py": ["test_models_are_let_through_and_predict_as_before"],
    },
    "the same by joblib": {
        SHAPES: [
            *("XGBoost by joblib", "XGBoost by joblib, compressed", "XGBoost by joblib, in lzma"),
            *("a pickle in gzip", "a pickle in zstd"),
        ]
    },
    "XGBoost's own": {SHAPES: ["XGBoost's UBJSON", "XGBoost's JSON"]},
    "a pickle of XGBoost 1.0": {SHAPES: ["test_pickles_of_old_xgboost_answer_what_they_answered_then"]},
    "a dict with one model": {
        SHAPES: [
            *("a dict of model and names", "a dict with names of something else", "two models in a dict"),
            *("a dict of other names", "a dict of names in another order", "a dict with a scaler"),
        ]
    },
    "linear and logistic regression": {
        SHAPES: ["a forest by joblib", "a forest by joblib, in gzip", "a pipeline by joblib"],
        CONVERTED: ["test_plain_scikit_learn_estimators_stay_what_they_are", "forest in a pipeline"],
    },
    "`CalibratedClassifierCV`": {SHAPES: ["{method} calibration around {name}"]},
    "`dart`": {CONVERTED: ["dart"], BOUNDS: ["weights of more trees (dart)", "categories beyond the list"]},
    "an ISO timestamp": {SHAPES: ["test_a_timestamp_in_iso_becomes_a_version"]},
    "LightGBM": {
        SHAPES: [
            *("LightGBM's text", "LightGBM's pickle", "CatBoost", "a Keras file", "a ColumnTransformer", "a search"),
            *("scikit-learn's boosting", "a zip archive", "LZ4", "a pointer of Git LFS"),
        ]
    },
    "`multi:softprob`": {SHAPES: ["softprob"], IMPORTS: ["a linear booster"]},
    "a classifier with a function": {SHAPES: ["a classifier with a measure of its own"]},
    "classifier and regressor in": {
        SHAPES: [
            "test_models_that_are_swapped_are_told_so_whatever_their_shape",
            "a regressor that is not swapped",
        ],
        IMPORTS: ["swapped", "a booster where the other belongs"],
    },
    "two files for one": {SHAPES: ["test_two_files_for_one_model_are_refused"]},
    "a file that is empty": {
        SHAPES: ["gzip that is cut off", "zstd that is cut off", "a pickle that is cut off", "text"],
        IMPORTS: ["missing file", "truncated", "empty", "text", "no file but a pipe"],
    },
    "an XGBoost model of before 1.0": {SHAPES: ["XGBoost 0.90", "XGBoost 1.0, cut off"]},
    "a pickle that asks": {
        SHAPES: ["an array of objects by joblib"],
        IMPORTS: ["another type", "test_a_hostile_set_is_refused_by_the_command_and_the_store_stays_as_it_was"],
    },
    "a tree whose": {
        BOUNDS: [
            "test_a_booster_that_could_read_what_is_not_its_own_is_refused",
            "test_an_estimator_whose_trees_could_read_what_is_not_theirs_is_refused",
        ],
        IMPORTS: ["a forest that reads foreign memory", "a booster that reads foreign memory"],
    },
    "an encoder that lists": {IMPORTS: ["a class twice", "millions of classes"]},
    "a prior beyond": {
        SHAPES: [
            *("a coefficient that overflows", "a coefficient that is no number", "an intercept that overflows"),
            "a leaf that overflows",
        ],
        IMPORTS: ["a prior that overflows"],
    },
    "scikit-learn's estimators that": {IMPORTS: ["an estimator without a word for the unknown"]},
    "an ROI model that gives": {
        IMPORTS: ["test_check_tells_what_a_set_will_give_and_stores_nothing"],
        REMARKS: ["expects down to -982.9 %", "expects more than a won bet pays"],
    },
    "a win model that is certain": {REMARKS: ["certain of 10 % of the bets"]},
    "encoders without": {REMARKS: ["no class 'Unknown' for market:", "lists 'TENNIS' in several spellings"]},
    "a set that grades": {IMPORTS: ["no betting history", "test_check_tells_what_a_set_will_give_and_stores_nothing"]},
    "a bet tracker's": {
        FORMS: [
            *("test_the_transactions_of_a_tracker_are_read", "semicolons", "tabs", "UTF-16 with a mark", "Latin-1"),
            *("decimal commas between semicolons", "decimal odds", "fractional odds", "won and lost", "1 and 0"),
            *("statuses of a tracker", "epoch seconds", "epoch milliseconds", "day first", "month first"),
        ]
    },
    "dates or odds that": {
        FORMS: [
            *("dates that fit both readings", "odds that mix formats", "no column for the result", "a spreadsheet"),
        ]
    },
    "pushes, voids": {
        FORMS: ["test_ragged_lines_and_what_else_is_set_aside_are_counted_and_kept_with_line_and_reason"],
        ROWS: ["test_a_row_that_can_not_be_used_is_counted_by_reason", "push", "not settled"],
    },
    "times of imports": {"unit/training/settled/test_imports.py": ["imports_of"]},
}
TESTS = root() / "tests"


def documented() -> list[str]:
    """First cells of the table."""
    page = (root() / "docs/models.md").read_text(encoding="utf-8")
    section = page.split("## What people have, and what happens", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_every_row_has_its_cases_and_every_case_its_row() -> None:
    rows = documented()
    for row in rows:
        assert len([first for first in CASES if row.startswith(first)]) == 1, row
    for first in CASES:
        assert len([row for row in rows if row.startswith(first)]) == 1, first


@pytest.mark.parametrize("first", CASES)
def test_the_cases_of_a_row_are_there(first: str) -> None:
    for file, names in CASES[first].items():
        text = (TESTS / file).read_text(encoding="utf-8")
        for name in names:
            assert f"def {name}(" in text if name.startswith("test_") else name in text, f"{file}: {name}"


def test_whatever_a_set_is_taken_or_refused_for_is_in_a_row() -> None:
    text = (TESTS / SHAPES).read_text(encoding="utf-8")
    cases = set(re.findall(r'^    "([^"]+)": \(', text, re.MULTILINE))
    assert len(cases) > 25
    assert cases <= {name for files in CASES.values() for name in files.get(SHAPES, ())}

"""The import: what is stored and told, what is refused in one line, and what foreign files may cost."""

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import numpy as np
import pytest

from pikkit.errors import ModelError
from pikkit.history.history import History
from pikkit.models import store
from pikkit.models.importing import import_models
from pikkit.models.loading import load_set
from pikkit.models.user_files import HISTORY_FILE, METADATA_FILE, ROI_FILE, WIN_FILE
from tests.support.converted import converted, converted_apart, read_here
from tests.support.hostile import bombs, corpus
from tests.support.import_command import import_command, own_store
from tests.support.model_files import ENCODERS, FEATURES, train, write_set
from tests.support.settled import settled
from tests.support.simulated import dirty_export
from tests.support.slow_import import Lazy
from training.judging.evaluate import newest
from training.settled.simulate import simulate

xgboost: Any = Lazy("xgboost")
ensemble: Any = Lazy("sklearn.ensemble")
linear_model: Any = Lazy("sklearn.linear_model")


@pytest.fixture
def home() -> Iterator[Path]:
    with own_store() as folder:
        yield folder


@pytest.fixture
def in_this_process() -> Iterator[None]:
    with read_here():
        yield


def stored(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in (home / "models").glob("*/*") if path.is_dir())


def test_the_command_prints_what_it_imported_and_a_second_run_changes_nothing(tmp_path: Path, home: Path) -> None:
    folder = write_set(tmp_path / "set", "20260102_030405")
    first = import_command("--from", folder)
    assert first.exit_code == 0, first.output
    assert "pikkit_bet_models:20260102_030405" in first.stdout
    assert "no betting history" in first.stdout
    assert stored(home) == ["models/pikkit_bet_models/20260102_030405"]
    again = import_command("--from", folder)
    assert again.exit_code == 0
    assert len(stored(home)) == 1
    (home / "models/pikkit_bet_models/20260102_030405/win.ubj").unlink()  # a damaged set is made again in its place
    mended = import_command("--from", folder)
    assert mended.exit_code == 0, mended.output
    assert stored(home) == ["models/pikkit_bet_models/20260102_030405"]
    assert (home / "models/pikkit_bet_models/20260102_030405/win.ubj").exists()


@pytest.mark.usefixtures("in_this_process")
def test_history_comes_from_a_file_or_is_made_of_bets(tmp_path: Path, home: Path) -> None:
    folder = write_set(tmp_path / "set", "20250101_000000")
    history = tmp_path / "history.json"
    history.write_text(json.dumps(History.from_bets(settled([{}, {"won": True}])).to_json()))
    given = import_command("--from", folder, "--history", history, "--tag", "mine:1")
    assert given.exit_code == 0, given.output
    assert "2 settled bets" in given.stdout
    assert import_command("--from", folder, "--history", history, "--tag", "mine:1").exit_code == 0
    export = dirty_export(2000, 1)
    bets = export.write(tmp_path / "bets.csv.gz")
    made = import_command("--from", folder, "--bets", bets, "--tag", "mine:2")
    assert f"{2000 - sum(export.unusable.values()):,} settled bets" in made.stdout
    assert stored(home) == ["models/mine/1", "models/mine/2"]
    without, beside = (json.loads((home / f"models/mine/{i}/metadata.json").read_text()) for i in (1, 2))
    assert "market" not in without
    assert set(beside["market"]) == {"intercept", "slope", "weight_market", "weight_reference"}
    assert 0 < beside["price_range"][0] < beside["price_range"][1] < 1
    assert beside["unseen_bets"] > 1000
    assert "nobody has looked" in given.stdout
    assert "weight of the model: own market 0" in " ".join(made.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--history", "{deep}"), "is not JSON"),
        (("--history", "{empty}"), "is not JSON"),
        (("--history", "{here}/nothing"), "can't be read as a history"),
        (("--history", "{here}"), "can't be read as a history"),
        (("--bets", "{header}"), "no usable bet"),
        (("--bets", "{header}", "--rejected", "{header}"), "the file of the bets itself"),
        (("--bets", "{header}", "--rejected", "{here}/link"), "the file of the bets itself"),
    ],
)
def test_what_it_is_told_wrongly_is_one_line_and_costs_nothing(
    tmp_path: Path, home: Path, arguments: tuple[str, ...], said: str
) -> None:
    names = {name: tmp_path / name for name in ("deep", "empty", "header")} | {"here": tmp_path}
    names["deep"].write_text("[" * 100_000)
    names["empty"].touch()
    names["header"].write_text("sport,market,book,odds,won,date\n")
    (tmp_path / "link").symlink_to(names["header"])
    told = import_command("--from", tmp_path, *(argument.format(**names) for argument in arguments))
    assert (told.exit_code, stored(home)) == (1, [])
    [*_, line] = told.output.strip().splitlines()
    assert line.startswith("import failed:")
    assert said in line
    assert names["header"].read_text().startswith("sport,")


@pytest.mark.usefixtures("in_this_process")
def test_two_that_import_one_set_at_once_both_have_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, together, describe = write_set(tmp_path / "set", "1"), Barrier(2), store._metadata

    def met(*about: Any) -> Any:
        """Waits between the look whether it is there and the writing, for another that does the same."""
        with suppress(BrokenBarrierError):
            together.wait(0.5)
        return describe(*about)

    monkeypatch.setattr(store, "_metadata", met)
    with ThreadPoolExecutor(2) as both:
        tags = [one.result()[0].tag for one in [both.submit(import_models, folder) for _ in range(2)]]
    assert tags == ["pikkit_bet_models:1"] * 2
    assert stored(home) == ["models/pikkit_bet_models/1"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_metadata_may_be_written_as_other_systems_write_text(tmp_path: Path, encoding: str) -> None:
    folder = write_set(tmp_path / "set", "1")
    path = folder / METADATA_FILE
    path.write_text(path.read_text(), encoding=encoding)
    assert converted(folder, tmp_path / "work").version == "1"


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        (None, None),
        ("2026-01-01T00:00:00Z", 1_767_225_600.0),
        ("2026-01-01", 1_767_225_600.0),
        ("yesterday", None),
        (1_767_225_600, None),
        ({}, None),
    ],
)
def test_until_when_a_set_was_trained_is_read_once_whatever_its_file_says(
    tmp_path: Path, told: object, moment: float | None
) -> None:
    folder = write_set(tmp_path / "set", "1")
    _metadata(trained_until=told)(folder)
    models = converted(folder, tmp_path / "work")
    assert models.trained_until == moment
    market = simulate(300, 1)
    judged, _, words = newest(models, market, 0.2)
    assert (len(judged), words) == (60, "the newest 20 % of the bets")  # all before 2026
    later = newest(models, replace(market, bets=replace(market.bets, placed_at=market.bets.placed_at + 2e7)), 0.2)[0]
    assert (len(later) > 60) == (moment is not None)


def _truncate(name: str, share: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * share)])

    return change


def _write(name: str, content: bytes | str | Callable[[], object]) -> Callable[[Path], None]:
    """Text, bytes, or what is to be pickled."""

    def change(folder: Path) -> None:
        if callable(content):
            (folder / name).write_bytes(pickle.dumps(content()))
        else:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def _metadata(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        metadata = json.loads((folder / METADATA_FILE).read_text())
        metadata.update(changes)
        (folder / METADATA_FILE).write_text(json.dumps({k: v for k, v in metadata.items() if v is not None}))

    return change


def _swap(folder: Path) -> None:
    win, roi = (folder / WIN_FILE).read_bytes(), (folder / ROI_FILE).read_bytes()
    (folder / WIN_FILE).write_bytes(roi)
    (folder / ROI_FILE).write_bytes(win)


def _pipe(folder: Path) -> None:
    (folder / WIN_FILE).unlink()
    os.mkfifo(folder / WIN_FILE)


def _forest(folder: Path) -> None:
    """A forest one of whose trees asks for feature 40,000 of a million, where rows have six."""
    random = np.random.default_rng(0)
    model = ensemble.RandomForestClassifier(2, random_state=0).fit(
        random.random((50, len(FEATURES))), random.random(50) > 0.5
    )
    kind, arguments, state = model.estimators_[1].tree_.__reduce__()
    state["nodes"]["feature"][0] = 40_000
    model.estimators_[1].tree_ = kind(10**6, *arguments[1:])
    model.estimators_[1].tree_.__setstate__(state)
    (folder / WIN_FILE).write_bytes(pickle.dumps(model))


def _plain(folder: Path) -> None:
    random = np.random.default_rng(0)
    model = linear_model.LogisticRegression().fit(random.random((50, len(FEATURES))), random.random(50) > 0.5)
    (folder / WIN_FILE).write_bytes(pickle.dumps(model))


def _booster(folder: Path) -> None:
    """A booster that asks for feature 40,000; XGBoost loads and pickles it without a word."""
    _, roi = train(1)
    model = json.loads(bytes(roi.get_booster().save_raw("json")))
    model["learner"]["gradient_booster"]["model"]["trees"][0]["split_indices"][0] = 40_000
    roi.get_booster().load_model(bytearray(json.dumps(model).encode()))
    (folder / ROI_FILE).write_bytes(pickle.dumps(roi))


def _not_a_number(folder: Path) -> None:
    _, roi = train(1)
    booster = roi.get_booster()
    model = json.loads(bytes(booster.save_raw("json")))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["split_conditions"] = [float("nan")] * len(tree["split_conditions"])
    booster.load_model(bytearray(json.dumps(model).encode()))
    assert np.isnan(roi.predict(np.zeros((1, len(FEATURES))))).all()
    (folder / ROI_FILE).write_bytes(pickle.dumps(roi))


def _regressor() -> Any:
    return train(1)[1].get_booster()


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing file": (lambda folder: (folder / ROI_FILE).unlink(), ROI_FILE),
    "truncated": (_truncate(WIN_FILE, 0.7), WIN_FILE),
    "empty": (_write(WIN_FILE, b""), "empty"),
    "text": (_write(ROI_FILE, "not a pickle"), ROI_FILE),
    "another type": (_write(WIN_FILE, pickle.dumps({"a": 1})), "of which 0 are models"),
    "swapped": (_swap, "swapped"),
    "one more feature": (_write(WIN_FILE, lambda: train(1, features=7)[0]), "7 features"),
    "metadata is no JSON": (_write(METADATA_FILE, "{"), "JSON"),
    "metadata is a list": (_write(METADATA_FILE, "[]"), "object"),
    "no features": (_metadata(features=None), "features"),
    "no encoders": (_metadata(encoders=None), "encoders"),
    "no timestamp": (_metadata(timestamp=None), "timestamp"),
    "a timestamp that is no tag": (_metadata(timestamp="today!"), "today!"),
    "an unknown feature": (_metadata(features=["moon_phase", *FEATURES[1:]]), "moon_phase"),
    "an unknown prior": (_metadata(prior={"type": "probit", "intercept": 0, "slope": 1}), "prior"),
    "a prior that overflows": (
        _metadata(prior={"type": "market_logit", "intercept": 1e308, "slope": 1}),
        "certainties",
    ),
    "a class twice": (_metadata(encoders={**ENCODERS, "market": ["Spread", "Moneyline", "Spread"]}), "'Spread' twice"),
    "millions of classes": (
        _metadata(encoders={**ENCODERS, "market": [str(i) for i in range(2_000_000)]}),
        "2,000,000",
    ),
    "an estimator without a word for the unknown": (_plain, "takes no missing values.*market"),
    "an unknown way to the ROI": (_metadata(roi={"type": "guess"}), "guess"),
    "no file but a pipe": (_pipe, WIN_FILE),
    "a booster where the other belongs": (
        _write(WIN_FILE, _regressor),
        "a classifier (XGBClassifier) belongs there",
    ),
    "a linear booster": (
        _write(ROI_FILE, lambda: xgboost.XGBRegressor(booster="gblinear").fit(np.eye(6), np.arange(6.0))),
        "no trees",
    ),
    "a forest that reads foreign memory": (_forest, "not its own"),
    "a booster that reads foreign memory": (_booster, "not its own"),
    "fewer features than its models have": (_metadata(features=FEATURES[:-1]), "6 features"),
    "a feature that is renamed": (_metadata(features=[*FEATURES[:-1], "sport_market_total"]), "sport_market_total"),
    "a model that answers no number": (_not_a_number, "no number"),
    "a broken history": (_write(HISTORY_FILE, "{}"), "history"),
}
# What would end its process if it were not noticed, and one whose refusal has to reach the parent.
APART = ("a forest that reads foreign memory", "a booster that reads foreign memory", "text")


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_what_can_not_be_served_is_refused_with_one_clear_line(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "set", "1")
    damage, said = DAMAGE[name]
    damage(folder)
    convert_ = converted_apart if name in APART else converted
    with pytest.raises(ModelError, match=said if "*" in said else re.escape(said)) as caught:
        convert_(folder, tmp_path / "work")
    assert "\n" not in caught.value.message
    assert not (tmp_path / "work/set/manifest.json").exists()


@pytest.mark.parametrize(
    ("rounds", "roi", "said"),
    [
        (1, 0.0, "the ROI model is all but constant (1 of 1 rounds: all bets get -"),
        (3, 5000.0, "nobody loses more than the stake"),
    ],
)
@pytest.mark.usefixtures("in_this_process")
def test_check_tells_what_a_set_will_give_and_stores_nothing(
    tmp_path: Path, home: Path, rounds: int, roi: float, said: str
) -> None:
    folder = write_set(tmp_path / "set", "2025-12-22T13:11:23Z")
    rows = np.random.default_rng(0).random((200, len(FEATURES)))
    model = xgboost.XGBRegressor(n_estimators=rounds, base_score=-4.6, n_jobs=1)
    model.fit(rows, -4.6 - roi * (rows[:, 2] - 0.5))
    (folder / ROI_FILE).write_bytes(pickle.dumps(model))
    told = import_command("--from", folder, "--check")
    assert told.exit_code == 0, told.output
    output = " ".join(told.stdout.split())
    assert "20251222_131123: checked, not stored" in output
    assert "of 1,000 made-up bets" in output
    assert said in output
    assert "no betting history" in output
    assert "local servers" not in output
    assert stored(home) == []


def test_a_hostile_set_is_refused_by_the_command_and_the_store_stays_as_it_was(tmp_path: Path, home: Path) -> None:
    good = write_set(tmp_path / "good", "1")
    assert import_command("--from", good).exit_code == 0
    before = stored(home)
    bad = write_set(tmp_path / "bad", "2")
    for name in ("os.system", "pickle in a pickle"):  # each of the corpus: test_pickles
        (bad / WIN_FILE).write_bytes(corpus(tmp_path / "ran")[name])
        refused = import_command("--from", bad)
        assert refused.exit_code == 1
        [line] = refused.output.strip().splitlines()
        assert line.startswith("import failed:")
        assert not (tmp_path / "ran").exists()
        assert stored(home) == before


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_memory_bomb_costs_only_the_child_process(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "set", "1")
    (folder / WIN_FILE).write_bytes(bombs()[name])
    with pytest.raises(ModelError):
        converted_apart(folder, tmp_path / "work")


def test_a_changed_file_of_a_stored_set_is_noticed(tmp_path: Path) -> None:
    models = converted(write_set(tmp_path / "set", "1"), tmp_path / "work")
    (models.folder / "metadata.json").write_text(json.dumps({"timestamp": "1", "encoders": ENCODERS}))
    with pytest.raises(ModelError, match=r"metadata\.json"):
        load_set(models.folder)


def test_what_reads_foreign_files_has_no_secret_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", "a-secret")
    seen: list[dict[str, str]] = []
    run_child = subprocess.run

    def watch(*arguments: Any, **options: Any) -> Any:
        seen.append(options["env"])
        return run_child(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", watch)
    converted_apart(write_set(tmp_path / "set", "1"), tmp_path / "work")
    assert "PATH" in seen[0]
    assert "a-secret" not in seen[0].values()


def test_what_reads_foreign_files_goes_after_what_serves(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from pikkit.models.reading.__main__ import main; "
        f"main(Path({str(tmp_path)!r}), Path({str(tmp_path / 'set')!r}), ''); print(os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) == min(os.nice(0) + 10, 19)

"""The commands of `python -m training`, as an operator and the pipeline run them."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest

from tests.support.commands import python
from tests.support.model_files import write_set
from tests.support.need import root
from tests.support.simulated import dirty_export, write_bets
from tests.support.training_command import training

pytestmark = pytest.mark.system

FILES = {
    "win_probability_model_latest.pkl",
    "roi_prediction_model_latest.pkl",
    "model_metadata_latest.json",
    "history_latest.json",
}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*_latest.*")}


@dataclass(frozen=True)
class Trained:
    """A new set, and what the command said."""

    bets: Path
    folder: Path
    output: str

    @classmethod
    def on(cls, bets: Path, folder: Path) -> Self:
        code, output = training("train", "--bets", bets, "--out", folder, "--report", folder / "r.html")
        assert code == 0, output
        return cls(bets, folder, output)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("made")
    return Trained.on(dirty_export(6000, 1).write(folder / "bets.csv.gz"), folder)


@pytest.fixture(scope="module")
def real(real_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained.on(real_dir / "bets.csv.gz", tmp_path_factory.mktemp("real"))


def gate(output: str, name: str) -> tuple[str, str]:
    found = re.search(rf"^(pass|FAIL)  {name}: (.*)$", output, re.MULTILINE)
    assert found, output
    return found[1], found[2]


def test_trained_on_real_bets_the_set_is_not_worse_than_the_odds_on_the_newest_and_is_calibrated(
    real: Trained,
) -> None:
    passed, words = gate(real.output, "not worse than the odds")
    mean, low, high = (float(number) for number in re.findall(r"[+-]\d\.\d{5}", words))
    assert passed == "pass"
    assert low < mean < high
    assert low <= 0
    assert mean < 0.001  # far below what an untuned model on top of the odds loses
    passed, words = gate(real.output, "calibrated")
    assert passed == "pass"
    assert float(words.split()[1]) < 0.03


def test_the_metadata_says_what_was_done(made: Trained) -> None:
    assert set(digests(made.folder)) == FILES
    metadata = json.loads((made.folder / "model_metadata_latest.json").read_text())
    assert metadata["prior"]["type"] == "market_logit"
    assert metadata["prior"]["slope"] == pytest.approx(1, abs=0.1)
    assert metadata["roi"] == {"type": "from_probability"}
    assert "starter" not in metadata
    parts = [metadata[name] for name in ("trained_on", "calibrated_on", "tested_on")]
    assert parts[0] > parts[1] > 0.19 * sum(parts)
    assert parts[2] == pytest.approx(0.2 * sum(parts), rel=0.01)
    assert metadata["baseline"]


def test_the_report_needs_nothing_but_itself(made: Trained) -> None:
    page = (made.folder / "r.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "validation passed" in page
    assert "95 % interval" in page
    assert "bets of other imports than the set was trained on" in page  # all its times are within a day
    assert "log-odds of winning =" in page
    assert not re.search(r"(src|href)=\"(?!data:)|<script", page)


def test_a_set_is_judged_next_to_the_one_in_production(made: Trained, tmp_path: Path) -> None:
    _judged(made, write_set(tmp_path / "production", "20250101_000000"), tmp_path / "report.html")


def test_a_set_is_judged_next_to_the_real_one_in_production(real: Trained, real_dir: Path, tmp_path: Path) -> None:
    _judged(real, real_dir / "models", tmp_path / "report.html")


def _judged(trained: Trained, production: Path, report: Path) -> None:
    code, output = training(
        *("validate", "--models", trained.folder, "--bets", trained.bets),
        *("--against", production, "--report", report),
    )
    assert code == 0, output
    assert gate(output, "not worse than production")[0] == "pass"
    assert "production's" in output
    assert "set in production" in report.read_text()


def test_real_pickles_that_are_not_calibrated_fail_the_gate(real_dir: Path) -> None:
    code, output = training("validate", "--models", real_dir / "models", "--bets", real_dir / "bets.csv.gz")
    assert code == 1, output
    assert gate(output, "calibrated")[0] == "FAIL"


def test_the_starter_models_are_made_again_as_they_lie_in_the_repository(tmp_path: Path) -> None:
    done = python("-m", "training", "starter", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.name for path in tmp_path.iterdir()}
    assert found == FILES
    made, kept = (json.loads((f / "model_metadata_latest.json").read_text()) for f in (tmp_path, root() / "models"))
    assert made["starter"] is kept["starter"] is True
    assert {name: made[name] for name in ("timestamp", "features", "encoders", "rounds", "seed")} == {
        name: kept[name] for name in ("timestamp", "features", "encoders", "rounds", "seed")
    }
    assert made["prior"]["intercept"] == pytest.approx(kept["prior"]["intercept"], abs=1e-6)


def test_a_set_that_fails_validation_does_not_become_the_latest(tmp_path: Path) -> None:
    # The newest fifth of these bets is decided against what the older ones taught.
    newest = pl.int_range(pl.len()) >= pl.len() * 0.8
    bets = write_bets(
        tmp_path / "bets.parquet",
        4000,
        1,
        is_win=pl.when(newest).then(pl.col("american_odds") > 0).otherwise(pl.col("is_win")),
        roi=pl.when(newest)
        .then(pl.when(pl.col("american_odds") > 0).then(pl.col("american_odds")).otherwise(-100.0))
        .otherwise(pl.col("roi")),
    )
    out = tmp_path / "models"
    out.mkdir()
    for name in FILES:
        (out / name).write_text("in production")
    before = digests(out)
    code, output = training("train", "--bets", bets, "--out", out)
    assert code == 1, output
    assert "FAIL" in output
    assert "as they were" in output
    assert digests(out) == before


def peak_megabytes(source: Path, target: Path) -> float:
    """Peak resident memory of scoring the file, by the operating system's own account."""
    script = (
        "import resource, runpy, sys\n"
        "sys.argv[0] = 'training'\n"
        "try: runpy.run_module('training', run_name='__main__')\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    arguments: list[Any] = ["score", source, "--out", target, "--models", root() / "models"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return float(done.stdout.split()[-1])


def test_memory_does_not_grow_with_the_file_that_is_scored(tmp_path: Path) -> None:
    small = write_bets(tmp_path / "small.csv", 5_000, 3)
    frame = pl.read_csv(small, infer_schema=False)
    large = tmp_path / "large.csv"
    pl.concat([frame] * 8).write_csv(large)
    little, much = (peak_megabytes(path, tmp_path / f"{path.stem}.out.csv") for path in (small, large))
    # 35,000 more bets, read as text and answered, would be fifty megabytes and more if they were held.
    assert much < little + 35
    assert pl.scan_csv(tmp_path / "large.out.csv").select(pl.len()).collect().item() == 40_000

from pathlib import Path
from typing import Any

import pytest

from pikkit.bets.bet import OddsLimits
from pikkit.errors import ModelError
from pikkit.exports.layout import Asked
from training.score import ScoredFile


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_answers_that_can_not_be_written_leave_nothing(tmp_path: Path, ending: str) -> None:
    source, target = tmp_path / "bets.csv", tmp_path / f"graded.{ending}"
    source.write_text("sport,market,book,odds\n")
    target.mkdir()
    nobody: Any = None  # there is no bet to ask about
    with pytest.raises(ModelError, match="can't be scored into"):
        ScoredFile(source, Asked()).score(target, nobody, nobody, now=0.0, limits=OddsLimits())
    assert set(tmp_path.iterdir()) == {source, target}

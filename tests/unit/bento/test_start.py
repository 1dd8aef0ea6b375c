"""Who imports the service with a wrong setting, and what becomes of it."""

import pytest
from bentoml import server_context
from bentoml.exceptions import BentoMLException

from pikkit.bento.start import settings_of_service


def test_a_command_that_imports_the_service_fails_by_an_error_of_bentoml_that_is_no_value_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODEL_DIR", "/no/such/dir")
    with pytest.raises(BentoMLException, match=r"^settings: MODEL_DIR=/no/such/dir is not a folder") as refused:
        settings_of_service()
    assert not isinstance(refused.value, ValueError)  # for BentoML that is a tag which is none


def test_a_worker_does_without_model_dir_and_ends_with_a_line_where_a_setting_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_context, "worker_index", 1)
    monkeypatch.setenv("MODEL_DIR", "/no/such/dir")
    assert str(settings_of_service().model_dir) == "/no/such/dir"
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit, match=r"^settings: PORT=x: Input should be a valid integer"):
        settings_of_service()

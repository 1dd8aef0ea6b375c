"""What slots and gates are told by the environment and by `.env`, and where word is sent."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.compose import first_api_key, project_environment
from deploy.notify import send_word
from deploy.settings import DeploySettings
from tests.support.need import root
from tests.support.receiver import StandIn


@pytest.mark.parametrize(
    ("environment", "dotenv", "runs_as"),
    [(None, "", "production"), (None, "staging", "staging"), ("", "", "production"), ("test", "staging", "test")],
)
def test_slots_run_as_production_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None, dotenv: str, runs_as: str
) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    if environment is not None:
        monkeypatch.setenv("ENVIRONMENT", environment)
    (tmp_path / ".env").write_text(f"ENVIRONMENT={dotenv}\n")
    assert project_environment(tmp_path)["ENVIRONMENT"] == runs_as
    assert DeploySettings(_env_file=tmp_path / ".env").environment == runs_as


@pytest.mark.parametrize(
    ("environment", "dotenv", "key"),
    [("", "", None), ("", "one,two", "one"), ("three", "", "three"), ("three", "one,two", "three"), ("", " , ", None)],
)
def test_slots_are_asked_with_their_first_key_from_the_environment_or_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, dotenv: str, key: str | None
) -> None:
    monkeypatch.setenv("API_KEYS", environment)
    (tmp_path / ".env").write_text(f"API_KEYS={dotenv}\n")
    told = project_environment(tmp_path)
    assert first_api_key({"API_KEYS": environment, **told}) == key


def test_containers_get_the_keys_of_the_environment_too_and_nothing_else_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env.example").write_text((root() / ".env.example").read_text())
    monkeypatch.setenv("API_KEYS", "one")
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", "two")
    monkeypatch.setenv("GITHUB_TOKEN", "not the slots'")
    told = project_environment(tmp_path)
    assert (told["API_KEYS"], told["SUPABASE_SERVICE_KEY"]) == ("one", "two")
    assert "GITHUB_TOKEN" not in told


def test_word_is_posted_and_who_does_not_take_it_is_named_without_the_secret() -> None:
    with StandIn() as stand_in:
        address = f"{stand_in.url}/hook-s3cret"
        send_word(DeploySettings(notify_url=SecretStr(address)), "deploy 2 done (was 1)", {})
        (call,) = stand_in.calls
        assert (call.method, call.path) == ("POST", "/hook-s3cret")
        assert call.json["text"].endswith(": deploy 2 done (was 1)")
        stand_in.answer = lambda _: (500, {}, b"")
        with pytest.raises(RuntimeError, match="refused the message with 500") as refused:
            send_word(DeploySettings(notify_url=SecretStr(address)), "x", {})
    with pytest.raises(RuntimeError, match="did not answer") as silent:
        send_word(DeploySettings(notify_url=SecretStr(address)), "x", {})
    assert "s3cret" not in f"{refused.value}{silent.value}"

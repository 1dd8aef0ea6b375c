import os
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import pytest

from deploy.settings import DeploySettings
from pikkit.settings import Settings, WrongSetting

SECRETS = [name.upper() for name, field in Settings.model_fields.items() if "SecretStr |" in str(field.annotation)]
LISTS = [name.upper() for name, field in Settings.model_fields.items() if str(field.annotation).startswith("tuple")]
NUMBERS = [name.upper() for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


def load(environment: Mapping[str, str]) -> Settings:
    with mock.patch.dict(os.environ, environment, clear=True):
        return Settings.load()


def test_defaults_suit_development() -> None:
    settings = load({})
    assert (settings.environment, settings.port, settings.workers) == ("development", 8000, 1)


def test_workers_are_a_number_or_one_per_core() -> None:
    assert load({"WORKERS": "2"}).workers == 2
    assert load({"WORKERS": "cpu_count"}).workers == "cpu_count"


def test_lists_are_separated_by_commas() -> None:
    settings = load({"API_KEYS": "one, two,,", "CORS_ORIGINS": "https://a.example,chrome-extension://" + "a" * 32})
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]
    assert len(settings.cors_origins) == 2


def test_empty_values_mean_not_set() -> None:
    assert load({"N8N_WEBHOOK_URL": "", "ADMIN_TOKEN": ""}).admin_token is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PORT": "99999"}, "PORT=99999: "),
        ({"N8N_WEBHOOK_URL": "secret-in-no-address"}, "^N8N_WEBHOOK_URL: Input should be a valid URL"),
        *(({"WORKERS": count}, f"^WORKERS={count}: write a number from 1") for count in ("many", "0", "1.5", "1000")),
        *(({name: word}, f"^{name}={word}: ") for name in NUMBERS for word in ("nan", "inf", "-inf", "1e400", "much")),
        *(({name: " "}, f"^{name}: it is blank: write a value") for name in SECRETS),
        *(({name: "two\nlines"}, f"^{name}: it holds a line break") for name in (*SECRETS, "API_KEYS")),
        *(({name: " , "}, f"^{name}.*: there is nothing between the commas") for name in LISTS),
        ({"ALERT_WINDOW": "1e10"}, "^ALERT_WINDOW=1e10: "),
        ({"ALERTS_PER_HOUR": "9" * 20}, "^ALERTS_PER_HOUR=9+: "),
        *(({"ALERT_LINK_HOSTS": host}, "write its name alone") for host in ("https://a.example", "*.example", "a.b/c")),
        ({"DATA_DIR": __file__}, f"^DATA_DIR={__file__} is not a folder"),
        *(({"BIND_HOST": host}, f"^BIND_HOST={host}: write an IP address") for host in ("localhost", "1.2.3")),
        *(
            ({"CORS_ORIGINS": origin}, f"{origin!r} is no origin")
            for origin in (
                "https://a.example/path",
                "https://A.example",
                "https://a.example:443",
                "http://a:80",
                "null",
            )
        ),
        ({"MIN_ODDS": "500", "MAX_ODDS": "400"}, "MIN_ODDS"),
        ({"MODEL_DIR": "/no/such/dir"}, "MODEL_DIR=/no/such/dir is not a folder"),
        ({"MODEL_PATH": "/no/such/dir"}, "MODEL_DIR=/no/such/dir is not a folder"),
        ({"RELOAD_INTERVALL": "5"}, "did you mean RELOAD_INTERVAL"),
        ({"ENVIRONMENT": "production", "ADMIN_TOKEN": "changeme-please-now"}, "placeholder"),
        ({"ENVIRONMENT": "production", "ADMIN_TOKEN": "short"}, "shorter"),
        ({"ENVIRONMENT": "production", "API_KEYS": "k" * 20}, "CORS_ORIGINS"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load(environment)


def test_a_worker_that_is_started_again_does_without_model_dir_but_with_no_wrong_setting() -> None:
    with mock.patch.dict(os.environ, {"MODEL_DIR": "/no/such/dir"}):
        assert Settings.load(without_model_dir=True).model_dir == Path("/no/such/dir")
        with mock.patch.dict(os.environ, {"PORT": "x"}), pytest.raises(WrongSetting, match="PORT=x"):
            Settings.load(without_model_dir=True)


def test_the_old_name_of_a_setting_is_taken_with_a_warning_and_the_new_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load({"MODEL_PATH": str(tmp_path)}).model_dir == tmp_path
    assert "MODEL_PATH is the old name of MODEL_DIR" in capsys.readouterr().err
    assert load({"MODEL_PATH": "/no/such/dir", "MODEL_DIR": str(tmp_path)}).model_dir == tmp_path
    assert "set too and counts" in capsys.readouterr().err


def test_what_the_environment_leaves_open_is_read_from_files_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "ADMIN_TOKEN").write_text("of-a-file-and-long-enough\n")
    (tmp_path / "api_keys").write_text("one,two")
    settings = load({"SECRETS_DIR": str(tmp_path), "ADMIN_TOKEN": "of-the-environment"})
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "of-the-environment"
    (tmp_path / "TELEGRAM_BOT_TOKENS").write_text("x")
    with pytest.raises(ValueError, match="did you mean TELEGRAM_BOT_TOKEN"):
        load({"SECRETS_DIR": str(tmp_path)})


def test_of_a_setting_and_a_file_of_its_name_the_file_is_said_not_to_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ADMIN_TOKEN").write_text("of-a-file")
    load({"SECRETS_DIR": str(tmp_path), "ADMIN_TOKEN": "of-the-environment"})
    assert (
        capsys.readouterr().err == f"settings: ADMIN_TOKEN is set, so its file in {tmp_path} does not count: keep one\n"
    )


def _binary(file: Path) -> None:
    file.write_bytes(b"\xff\xfea")


def _dangling(file: Path) -> None:
    file.symlink_to("gone")


def _empty(file: Path) -> None:
    file.write_bytes(b"\n")


@pytest.mark.parametrize("make", [_binary, _dangling, _empty, Path.mkdir])
@pytest.mark.parametrize("name", ["api_keys", "ADMIN_TOKEN"])
def test_a_file_of_a_secret_that_holds_none_leaves_nothing_open(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    with pytest.raises(
        WrongSetting, match=rf"{name}.*(is no text|can't be read|blank|nothing between)|{name.upper()}: "
    ):
        load({"SECRETS_DIR": str(tmp_path)})


def test_a_folder_of_secrets_that_was_named_must_be_one(tmp_path: Path) -> None:
    for wrong in (tmp_path / "gone", Path(__file__)):
        with pytest.raises(WrongSetting, match=f"^SECRETS_DIR={wrong} can't be read"):
            load({"SECRETS_DIR": str(wrong)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"PORT=8001\nAPI_KEYS a-secret\n", "^line 2 of .env is no setting"),
        (b"API_KEYS: a-secret\n", "^line 1 of .env is no setting"),
        (b"API_KEYS='a-secret\nPORT=8001\n", "^line 1 of .env is no setting"),
        (b"API_KEYS\n", "^line 1 of .env is no setting"),
        (b"API_KEYS=a-secret\nPORT=8001\napi_keys=\n", "^line 3 of .env sets API_KEYS to nothing"),
        ("API_KEYS=a-secret".encode("utf-16"), "^.env is no text: write it in UTF-8"),
    ],
)
def test_what_can_not_be_read_in_dotenv_is_refused_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_bytes(text)
    with pytest.raises(WrongSetting, match=said) as refused:
        load({})
    assert "a-secret" not in str(refused.value)


def test_of_a_name_given_twice_in_dotenv_the_last_value_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("# made from the example\nPORT=\nexport PORT=8001\nPORT='8002' # for now\n")
    assert load({}).port == 8002


def test_a_folder_of_the_name_dotenv_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").mkdir()
    assert load({}).port == 8000


def test_no_secret_shows_in_the_settings_text() -> None:
    settings = load({"ADMIN_TOKEN": "tell-nobody-at-all", "API_KEYS": "nor-this-one"})
    assert "tell-nobody" not in repr(settings)
    assert "nor-this" not in repr(settings)
    for wrong in ({"N8N_WEBHOOK_URL": "tell-nobody"}, {"ENVIRONMENT": "production", "ADMIN_TOKEN": "tell-nobody"}):
        with pytest.raises(WrongSetting) as refused:
            load(wrong)
        assert "tell-nobody" not in str(refused.value)


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("name", ["WORKRES", "workres", "DEPLOYMENTS"])
def test_an_unknown_name_in_dotenv_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(f"PORT=8001\n{name}=a-secret\n")
    with pytest.raises(WrongSetting, match=f"^{name.upper()} is not a setting: take it out of .env, or write"):
        load({})


def test_service_and_deploys_read_one_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("PORT=8001\nmodel_path=\nDEPLOY_WORKERS=3\nNGINX_BIN=nginx\nBASE_IMAGE=python:3.13-slim\n")
    assert load({}).port == 8001
    with mock.patch.dict(os.environ, clear=True):
        deploys = DeploySettings.load(Path(".env"))
    assert (deploys.workers, deploys.base_image) == (3, "python:3.13-slim")

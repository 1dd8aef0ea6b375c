"""What is wrong with a setting of the deploy commands, in a line; and which names are none."""

import os
import re
from pathlib import Path

import pytest

from deploy.errors import UsageError
from deploy.settings import DeploySettings
from pikkit.settings import Settings
from tests.support.need import root

WORKERS = "DEPLOY_WORKERS"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("DEPLOY_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEPLOY_WORK" + "RES", "2", "is not a setting: did you mean DEPLOY_WORKERS?"),
        ("deploy_work" + "res", "2", "is not a setting: did you mean DEPLOY_WORKERS?"),
        ("DEPLOY_DRAIN" + "_TIMEOUT", "2", "is not a setting: did you mean DEPLOY_DRAIN_TIMEOUT_S?"),
        ("DEPLOY_RATE" + "_LIMITS", "2", "is not a setting: did you mean DEPLOY_RATE_LIMIT?"),
        ("BASE_IMAGES", "python", "is not a setting: did you mean BASE_IMAGE?"),
        ("DEPLOY_INVENTORY", "hosts", "is gone: run `python -m deploy` on that host"),
        ("DEPLOY_KUBE_CONTEXT", "x", "is gone: apply deploy/kubernetes"),
    ],
)
@pytest.mark.parametrize("dotenv", [False, True])
def test_a_name_that_is_no_setting_is_refused_with_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str, *, dotenv: bool
) -> None:
    file = tmp_path / ".env"
    if dotenv:
        file.write_text(f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=re.escape(f"{name.upper()} {said}")):
        DeploySettings.load(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"PORT=8001\nAPI_KEYS a-secret\n", "line 2 of .env is no setting"),
        (b"API_KEYS='a-secret\n", "line 1 of .env is no setting"),
        (b"API_KEYS\n", "line 1 of .env is no setting"),
        (b"API_KEYS=\xff\n", ".env is no text"),
    ],
)
def test_a_line_of_dotenv_that_none_can_read_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / ".env").write_bytes(text)
    with pytest.raises(UsageError, match=f"^{said}") as refused:
        DeploySettings.load(tmp_path / ".env")
    assert "a-secret" not in str(refused.value)


def test_every_name_that_the_project_and_its_service_use_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [*root().glob("*.md"), root() / "Makefile", root() / ".env.example"]
    for folder in (".ci", ".github", "benchmarks", "deploy", "docs", "examples", "monitoring", "nginx", "tests"):
        told += (path for path in (root() / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    own = Path(__file__).resolve()
    texts = "\n".join(path.read_text(errors="replace") for path in told if path.resolve() != own)
    gone = {"DEPLOY_INVENTORY", "DEPLOY_REMOTE_DIR", "DEPLOY_SSH_CONFIG"}
    named = set(re.findall(r"\bDEPLOY_[A-Z0-9_]*[A-Z0-9]\b", texts)) - gone
    assert WORKERS in named
    known = {f"DEPLOY_{name}".upper() for name in DeploySettings.model_fields}
    assert named <= known
    others = {name.upper() for name in Settings.model_fields} | {"DEPLOY_TOKEN", "DEPLOY_KEY", "DEPLOY_USER"}
    (tmp_path / ".env").write_text("".join(f"{name}=1\n" for name in others - {"ENVIRONMENT", "CORS_ORIGINS"}))
    monkeypatch.setenv("DEPLOY_WORK" + "RES", "")  # as good as not set
    assert DeploySettings.load(tmp_path / ".env").workers == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (WORKERS, "0", "DEPLOY_WORKERS=0: Input should be greater than or equal to 1"),
        ("DEPLOY_RUNTIME", "kubernetes", "DEPLOY_RUNTIME=kubernetes: it is no runtime any more: apply"),
        ("DEPLOY_TRUSTED_PROXIES", "zz", "DEPLOY_TRUSTED_PROXIES=zz: 'zz' does not appear to be an IPv4"),
        ("NGINX_BIN", "/a\nb", r"NGINX_BIN=/a\nb: Nginx can't be told"),
        ("DEPLOY_TLS_KEY", "/key.pem", "DEPLOY_TLS_CERTIFICATE and DEPLOY_TLS_KEY belong together"),
        ("DEPLOY_OVERRIDE_KEY", "s3cret", "DEPLOY_OVERRIDE_KEY: Value should have at least 16"),
    ],
)
def test_a_wrong_value_is_told_with_name_and_rule_but_for_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as told:
        DeploySettings.load(tmp_path / ".env")
    assert str(told.value).startswith(said)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
        ("to-nothing", "No such file or directory"),  # as where a disk is not mounted
        ("to-itself", "Too many levels of symbolic links"),
        ("a" * 300, "File name too long"),
        ("new", None),
        ("new/below", None),
        ("", None),
    ],
)
def test_a_folder_of_state_is_one_that_can_be_read_or_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, rule: str | None
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "to-nothing").symlink_to("nowhere")
    (tmp_path / "to-itself").symlink_to("to-itself")
    folder = tmp_path / path
    monkeypatch.setenv("DEPLOY_RUN_DIR", str(folder))
    if rule is None:
        assert DeploySettings.load(tmp_path / ".env").run_dir == folder
        return
    with pytest.raises(UsageError) as told:
        DeploySettings.load(tmp_path / ".env")
    assert str(told.value) == f"DEPLOY_RUN_DIR={folder}: {rule}: name a folder that can be read"

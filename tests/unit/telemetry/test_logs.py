import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.logs import access, configure, get_logger

TOKEN = "a-token-nobody-may-see-1234"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    names = (None, "bentoml", "uvicorn.error", "circus", "httpx", "httpcore", "uvicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
    structlog.reset_defaults()


def _settings(**changes: Any) -> Settings:
    return Settings(**{"log_format": "json", "admin_token": TOKEN, **changes})


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _request(**changes: Any) -> None:
    told = {"method": "GET", "path": "/x", "status": 200, "seconds": 0.01234, "request_id": "r1", "at": 1e9}
    access([Answered("x", **{**told, **changes})])


def test_one_line_of_json_tells_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings())
    _request(status=400, error="invalid_bet")
    (line,) = _lines(capsys)
    assert line == {
        "time": "2001-09-09T01:46:40Z",
        "component": "pikkit.access",
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/x",
        "status": 400,
        "ms": 12.34,
        "request_id": "r1",
        "error": "invalid_bet",
    }


def test_requests_that_were_answered_since_the_last_look_are_lines_of_one_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(_settings())
    access([Answered("x", 200, 0.001, name, path="/x", at=at) for name, at in (("r1", 1e9), ("r2", 1e9 + 0.5))])
    told = [(line["request_id"], line["time"]) for line in _lines(capsys)]
    assert told == [("r1", "2001-09-09T01:46:40Z"), ("r2", "2001-09-09T01:46:40.500000Z")]


def test_libraries_write_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings())
    logging.getLogger("bentoml").info("Starting %s", "it")
    logging.getLogger("uvicorn.error").warning("slow")
    logging.getLogger("httpx").info("GET https://example.org")
    assert [(line["component"], line["event"]) for line in _lines(capsys)] == [
        ("bentoml", "Starting it"),
        ("uvicorn.error", "slow"),
    ]


def test_a_traceback_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings())
    try:
        int("no good")
    except ValueError as error:
        get_logger("pikkit.x").error("failed", exc_info=error)
        logging.getLogger("other").exception("failed too")
    first, second = _lines(capsys)
    assert "invalid literal for int() with base 10: 'no good'" in first["exception"]
    assert "invalid literal for int() with base 10: 'no good'" in second["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_known_secrets_are_blotted_out_whoever_logs_them(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings(log_format=form, api_keys="key-of-a-client-0001,key-of-a-client-0002"))
    get_logger("pikkit.x").error("sent", url=f"https://host/{TOKEN}/x")
    logging.getLogger("lib").warning("got key-of-a-client-0002")
    try:
        int(TOKEN)
    except ValueError:
        logging.getLogger("lib").exception("boom")
    out = capsys.readouterr().out
    assert TOKEN not in out
    assert "key-of-a-client" not in out
    assert out.count("[secret]") >= 3


ODD = "a\x1b]0;b\x07\nforged\u2028\x9b1m\u202e\ud83d"


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_ends_a_line_or_commands_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings(log_format=form))
    _request(path=f"/{ODD}", status=404, error="not_found")
    get_logger("pikkit.x").error("said", words=ODD, file=ODD.encode("utf-8", "replace").decode())
    get_logger("pikkit.x").error(ODD)
    logging.getLogger("lib").warning("got %s", ODD)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.isprintable()] == []
    assert len([line for line in lines if "forged" in line]) == len(lines) == 4
    for log in (get_logger("pikkit.x").error, logging.getLogger("lib").error):
        try:
            int(ODD)
        except ValueError:
            log("failed", exc_info=True)
        assert all(line.isprintable() for line in capsys.readouterr().out.expandtabs().splitlines())


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_is_blotted_out_however_it_is_written(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = 'quote"back\\slash-and-ü'
    configure(_settings(log_format=form, api_keys=f"{secret[:7]},{secret}"))
    get_logger("pikkit.x").error("sent", url=f"a {secret}", told=[secret], cause=ValueError(secret))
    logging.getLogger("lib").warning(secret)
    _request(path=f"/{secret} x")
    out = capsys.readouterr().out
    assert out.count("[secret]") == 5
    assert "slash-and" not in out


def test_the_access_log_is_sampled_or_off_but_our_failures_show(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(_settings(access_log=0))
    _request(status=500)
    assert _lines(capsys) == []
    configure(_settings(access_log=0.1))
    for _ in range(2000):
        _request()
    assert 100 < len(_lines(capsys)) < 320
    for _ in range(20):
        _request(status=503)
    assert len(_lines(capsys)) == 20


def test_lines_of_a_request_share_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings())
    with structlog.contextvars.bound_contextvars(request_id="r7"):
        get_logger("pikkit.x").warning("odd")
        logging.getLogger("lib").warning("odd")
    assert [line["request_id"] for line in _lines(capsys)] == ["r7", "r7"]


def test_development_gets_readable_lines_and_production_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings(log_format="auto", environment="development"))
    get_logger("pikkit.x").info("hello", answer=42)
    line = capsys.readouterr().out
    assert "hello" in line
    assert "answer=42" in line
    configure(_settings(log_format="auto", environment="production"))
    get_logger("pikkit.x").info("hello")
    assert _lines(capsys)[0]["event"] == "hello"


def test_the_level_holds_for_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    configure(_settings(log_level="ERROR"))
    get_logger("pikkit.x").warning("no")
    logging.getLogger("bentoml").warning("no")
    get_logger("pikkit.x").error("yes")
    assert [line["event"] for line in _lines(capsys)] == ["yes"]


def test_a_line_that_finds_no_room_is_no_fault_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        configure(_settings())
        _request(status=500)
        get_logger("x").error("told")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()  # what is still in its buffer finds no room either


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_local_variable(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure(_settings(log_format=log_format))
    headers = {"x-api-key": "key-of-a-" + "caller"}
    try:
        int(headers["x-api-key"][:3])
    except ValueError as error:
        get_logger("pikkit.x").error("failed", exc_info=error)
        logging.getLogger("other").exception("failed too")
    told = capsys.readouterr().out
    assert told.count("ValueError") >= 2
    assert "key-of-a-caller" not in told

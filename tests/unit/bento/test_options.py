"""What becomes of BentoML's options, and that the names inside of it that we rely on are still there."""

from typing import Any

import pytest
import uvicorn
from bentoml.exceptions import BentoMLConfigException

from pikkit.bento import options, server
from pikkit.settings import Settings

NAME = "pikkit_ml_api"


def effective(**changes: Any) -> dict[str, Any]:
    """As BentoML merges its defaults and ours, with what a user set."""
    made = options.service_options(Settings(_env_file=None))
    http = {"cors": {"enabled": False}, "response": {"trace_id": False}}
    made["traffic"] = {"max_concurrency": None, **made["traffic"]}
    return {**made, "http": http, **changes}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(**changes: Any) -> None:
        monkeypatch.setattr(options, "effective", lambda _name: effective(**changes))

    return give


def test_as_it_stands_nothing_is_refused_and_no_layer_needed(given: Any) -> None:
    given()
    options.check(NAME)
    assert not options.needs_layers(NAME)


@pytest.mark.parametrize(
    ("changes", "named", "instead"),
    [
        ({"http": {"cors": {"enabled": True}}}, "http.cors.enabled", "CORS_ORIGINS"),
        ({"batching": {"enabled": True}}, "batching", "BATCHING"),
    ],
)
def test_what_would_have_no_effect_is_refused_by_name(given: Any, changes: Any, named: str, instead: str) -> None:
    given(**changes)
    with pytest.raises(BentoMLConfigException, match=f"services.{NAME}.{named} has no effect.*{instead}"):
        options.check(NAME)


@pytest.mark.parametrize(
    "changes",
    [
        {"traffic": {"timeout": 35.0, "max_concurrency": 3}},
        {"traffic": {"timeout": 20.0}},
        {"logging": {"access": {"enabled": True}}},
        {"metrics": {"enabled": True}},
        {"tracing": {"exporter_type": "zipkin"}},
        {"http": {"response": {"trace_id": True}}},
    ],
)
def test_what_only_bentomls_layers_honour_takes_requests_through_them(given: Any, changes: Any) -> None:
    given(**changes)
    assert options.needs_layers(NAME)


@pytest.mark.parametrize(("asked", "count"), [(3, 3), (None, 1), ("cpu_count", None)])
def test_workers_are_counted_as_bentoml_does(given: Any, asked: Any, count: int | None) -> None:
    given(workers=asked)
    assert options.workers(NAME) == count or (count is None and options.workers(NAME) >= 1)


def test_where_to_listen_is_told_only_where_it_was_set() -> None:
    def told(**settings: Any) -> Any:
        return options.service_options(Settings(_env_file=None, **settings))["http"]

    assert told() == {}
    assert told(port=8001) == {"port": 8001}
    assert told(port=8000, bind_host="0.0.0.0") == {"port": 8000, "host": "0.0.0.0"}


def test_no_timer_outlives_its_request_by_more_than_40_seconds() -> None:
    assert options.service_options(Settings(_env_file=None))["traffic"]["timeout"] <= 40


def test_uvicorn_looks_its_protocol_up_where_ours_is_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    server.bound_connections()
    config = uvicorn.Config(app=lambda: None, log_config=None)
    config.load()
    assert config.http_protocol_class.__module__ == "pikkit.web.connection"


def test_bentoml_makes_its_process_manager_by_the_name_that_is_replaced() -> None:
    from bentoml._internal.utils import circus  # noqa: PLC0415 - private: only here and in the module tested

    assert {"create_standalone_arbiter", "Arbiter", "ThreadedArbiter"} <= vars(circus).keys()

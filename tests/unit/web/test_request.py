import difflib
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pikkit.web.options import refuse_near_misses
from pikkit.web.request import Request
from tests.support.web import Web

BET = {"sport": "Tennis", "league": "ATP"}
ALERTING = [
    ("POST", "/api/v1/predict"),
    ("POST", "/api/v1/batch-predict"),
    ("POST", "/batch-predict"),
    ("GET", "/ml-predict"),
]
NEAR = [
    *("dryrun", "dry-run", "dryRun", "DRY_RUN", "Dry_Run", "dry_run ", "dry", "dry_runs", "\uff44ry_run", "dry.run"),
    *("Explain", "EXPLAIN", "explian", "explained", "explanation"),
]


def asked(method: str, path: str, params: object = None, **body: object) -> tuple[int, Web, dict[str, object]]:
    web = Web()
    if method == "GET" and not isinstance(params, str):
        params = {**BET, **(params or {})}  # type: ignore[dict-item]
    bets = {"bets": [BET], **body} if "batch" in path else {**BET, **body}
    sent = web.send(method, path, params=params, json=bets if method == "POST" else None)
    return sent.status_code, web, sent.json()


@pytest.mark.parametrize("name", NEAR)
@pytest.mark.parametrize(("method", "path"), [*ALERTING, ("GET", "/api/v1/predict")])
def test_a_query_parameter_that_is_nearly_an_option_is_refused_and_raises_no_alert(
    method: str, path: str, name: str
) -> None:
    status, web, said = asked(method, path, {name: "true"})
    assert (status, web.grader.asked) == (400, [])
    assert said["error"]["field"] in ("dry_run", "explain")  # type: ignore[index]
    assert "did you mean" in said["error"]["message"]  # type: ignore[index]


@pytest.mark.parametrize(("method", "path"), ALERTING)
@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_options_are_taken_from_the_query(method: str, path: str, value: str) -> None:
    _, web, _ = asked(method, path, {"dry_run": value, "explain": "false"})
    [(_, options)] = web.grader.asked
    assert (options.dry_run, options.explain, options.raises_alerts) == (True, False, True)


@pytest.mark.parametrize(("method", "path"), ALERTING[:3])
@pytest.mark.parametrize("value", [True, "true"])
def test_options_are_taken_from_the_body_and_are_no_fields_of_the_bet(method: str, path: str, value: object) -> None:
    _, web, _ = asked(method, path, dry_run=value)
    [(sent, options)] = web.grader.asked
    assert options.dry_run is True
    assert "dry_run" not in sent  # type: ignore[operator]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("dry_run=yes", {}),
        ("dry_run=", {}),
        ("dry_run=1", {}),
        ("dry_run=true&dry_run=false", {}),
        ("", {"dry_run": 1}),
        ("", {"dry_run": None}),
        ("", {"dry_run": "yes"}),
        ("", {"explain": []}),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/batch-predict", "/batch-predict"])
def test_an_option_that_is_neither_true_nor_false_or_given_twice_is_refused(
    path: str, query: str, body: dict[str, object]
) -> None:
    status, web, said = asked("POST", path, query, **body)
    assert (status, web.grader.asked) == (400, [])
    assert said["error"]["field"] in ("dry_run", "explain")  # type: ignore[index]


@pytest.mark.parametrize(("query", "body"), [("true", False), ("false", True), ("true", True)])
def test_a_dry_run_that_either_the_query_or_the_body_asks_for_is_one(query: str, body: bool) -> None:
    _, web, _ = asked("POST", "/api/v1/predict", {"dry_run": query}, dry_run=body)
    assert web.grader.asked[0][1].dry_run is True


@pytest.mark.parametrize("name", ["dryRun", "Explain"])
def test_a_near_miss_in_the_envelope_of_a_batch_is_refused(name: str) -> None:
    assert asked("POST", "/api/v1/batch-predict", **{name: True})[0] == 400


@pytest.mark.parametrize("names", [[f"x{i}" for i in range(50_000)], ["dry_run" * 10_000]])
def test_names_without_end_are_not_all_compared_with_the_options(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    class Matcher(difflib.SequenceMatcher[str]):
        def __init__(self, _junk: None, given: str, option: str) -> None:
            compared.append(given)
            super().__init__(None, given, option)

    monkeypatch.setattr("difflib.SequenceMatcher", Matcher)
    refuse_near_misses(dict.fromkeys(names), ("bets",))
    assert sum(map(len, compared)) < 20_000


def test_other_unknown_parameters_are_a_warning_on_v1_and_ignored_on_the_legacy_routes() -> None:
    _, _, said = asked("POST", "/api/v1/predict", {"utm_source": "x", "line": "2"})
    assert said["warnings"] == ["unknown query parameters are ignored: line, utm_source"]
    _, web, said = asked("GET", "/api/v1/predict", {**BET, "utm_source": "x"})
    assert said["warnings"] == ["unknown query parameters are ignored: utm_source"]
    assert web.grader.asked[0][0] == BET
    assert asked("GET", "/ml-predict", {**BET, "odds": "-110", "utm_source": "x"})[2]["warnings"] == []


def test_a_bets_field_that_is_given_twice_is_refused_in_a_query_as_in_a_body() -> None:
    status, web, said = asked("GET", "/api/v1/predict", "sport=Tennis&odds=-110&x=1&x=2&odds=150")
    assert (status, web.grader.asked) == (400, [])
    assert said["error"]["message"] == "odds is given twice: send it once"  # type: ignore[index]
    assert said["error"]["field"] == "odds"  # type: ignore[index]
    assert asked("GET", "/api/v1/predict", "sport=Tennis&x=1&x=2")[0] == 200
    assert asked("GET", "/ml-predict", "sport=Tennis&league=ATP&odds=-110&odds=150")[0] == 200  # kept as it was


def test_a_plain_request_raises_alerts_where_its_route_does() -> None:
    for method, path in [*ALERTING, ("GET", "/api/v1/predict")]:
        _, web, _ = asked(method, path)
        assert web.grader.asked[0][1].raises_alerts == ((method, path) in ALERTING)


@given(st.text(st.sampled_from("a=&+%;0cC\u00e9 "), max_size=30))
@example("a=%C3%A9+b&a&=&b=1=2&&%zz=%")
def test_the_query_is_read_as_the_standard_library_reads_it(query: str) -> None:
    request = Request("/", query=query.encode("latin-1"))
    assert request.pairs == parse_qsl(query, keep_blank_values=True)
    assert request.parameters == dict(request.pairs)

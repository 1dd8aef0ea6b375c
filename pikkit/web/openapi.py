"""The OpenAPI document: every route, mounted or BentoML's own, with examples that the tests execute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from pikkit.bets.bet import CATEGORICAL, Bet, OddsLimits
from pikkit.bets.prediction import BatchAnswer, Prediction
from pikkit.errors import (
    BodyTooLarge,
    ErrorBody,
    Forbidden,
    InternalError,
    InvalidRequest,
    ModelsNotLoaded,
    ModelsRefused,
    PikkitError,
    TimedOut,
    Unauthorized,
    UnsupportedMedia,
)
from pikkit.grading.grader import MAX_BETS
from pikkit.settings import Settings
from pikkit.web.legacy import ABSENT
from pikkit.web.schemas import BET_RULES, QUERY_RULES, HealthBody, ModelInfoBody, ReloadBody

__all__ = ["EXAMPLE_BET", "document"]

EXAMPLE_BET: Mapping[str, Any] = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "odds": -110,
}
_EVEN_BET = {**EXAMPLE_BET, "odds": "EVEN", "client_ref": "card-7"}
_BAD_BET = {**EXAMPLE_BET, "odds": 50}
_LEGACY_BATCH = {"bets": [{name: EXAMPLE_BET[name] for name in EXAMPLE_BET if name != "odds"}, _BAD_BET]}

_JSON = "application/json"
_REF = "#/components/schemas/{model}"
_OPTIONAL_QUERY = ("bet_type", "odds_format", "is_live", "clv_percentage", "client_ref", "placed_at")
_FLAGS = (
    ("explain", "Adds `reasons`: the strongest feature contributions of each model, in words"),
    ("dry_run", "Raises no alert and leaves no trace in the prediction log"),
)
_Errors = tuple[type[PikkitError], ...]

_ERRORS: Mapping[type[PikkitError], str] = {
    InvalidRequest: "The request breaks a rule; `field` names which part, `message` says what to send instead",
    Unauthorized: "No key or token, or an unknown one",
    Forbidden: "Closed here, or the token is wrong",
    ModelsRefused: "What lies in MODEL_DIR can't be served; the old set keeps serving",
    BodyTooLarge: "The body is over 1 MiB",
    UnsupportedMedia: "The body is not JSON by its Content-Type",
    InternalError: "A fault of the service; its log has the cause under the request id",
    ModelsNotLoaded: "Busy, or no model set yet: try again after Retry-After",
    TimedOut: "No answer in time: try again",
}
_ALWAYS: _Errors = (InternalError, ModelsNotLoaded, TimedOut)
_WITH_BODY = (InvalidRequest, BodyTooLarge, UnsupportedMedia)
_KEYED = (Unauthorized,)


def document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this service."""
    schemas = _schemas(OddsLimits(settings.min_odds, settings.max_odds))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pikkit ML API",
            "version": settings.app_version,
            "description": (
                "Grades sports bets: win probability, expected return, Kelly stake and a grade from A to F. "
                "Probabilities are fractions; ROI and stake are percent. Every error has the shape of `Error`."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "bets", "description": "Grading"},
            {"name": "models", "description": "The model set that serves"},
            {"name": "operation", "description": "Probes and metrics"},
            {"name": "legacy", "description": "What the extension in the field calls; kept as it is"},
        ],
        "paths": _paths(schemas),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "adminToken": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _schemas(limits: OddsLimits) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in (
        ("Bet", Bet),
        ("Prediction", Prediction),
        ("BatchAnswer", BatchAnswer),
        ("ErrorBody", ErrorBody),
        ("Health", HealthBody),
        ("ModelInfo", ModelInfoBody),
        ("Reload", ReloadBody),
    ):
        schema = TypeAdapter(kind).json_schema(ref_template=_REF, mode="validation")
        found.update(schema.pop("$defs", {}))
        found[name] = {**schema, "title": name}
    found["Bet"]["properties"].update(BET_RULES)
    found["Bet"]["allOf"] = [{"anyOf": _odds_by_format(limits)}]
    found["Error"] = {"type": "object", "required": ["error"], "properties": {"error": _ref("ErrorBody")}}
    found["Batch"] = {
        "type": "object",
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_BETS,
                "items": {
                    "anyOf": [_ref("Bet"), {"description": "Anything else: one entry in `errors`, with its index"}]
                },
            }
        },
    }
    found["LegacyBatchAnswer"] = {
        "type": "object",
        "required": ["predictions", "count"],
        "properties": {
            "predictions": {"type": "array", "items": {"anyOf": [_ref("Prediction"), _ref("Error")]}},
            "count": {"type": "integer", "minimum": 1, "maximum": MAX_BETS},
        },
    }
    return found


def _odds_by_format(limits: OddsLimits) -> list[dict[str, Any]]:
    """Which `odds` each `odds_format` takes: what a number may be, and how text is written."""
    low, high = limits.smallest, limits.largest
    american = {
        "anyOf": [
            {"type": "number", "minimum": low, "maximum": high},
            {"type": "number", "minimum": -high, "maximum": -low},
            {"type": "string", "enum": ["-110", "+150", "EVEN"]},
        ]
    }
    decimal = {"type": "number", "minimum": 1 + 100 / high, "maximum": 1 + high / 100}
    fractional = {"type": "string", "enum": ["10/11", "3/2", "1/1"]}
    return [
        {"properties": {"odds_format": {"const": "american"}, "odds": american}},
        {"required": ["odds_format"], "properties": {"odds_format": {"const": "decimal"}, "odds": decimal}},
        {"required": ["odds_format"], "properties": {"odds_format": {"const": "fractional"}, "odds": fractional}},
    ]


def _paths(schemas: Mapping[str, Any]) -> dict[str, Any]:
    bet_query = _bet_query(schemas, required=(*CATEGORICAL[:4], "odds"))
    legacy_query = _bet_query(schemas, required=CATEGORICAL[:4], loose=True)
    flags = [_parameter(name, {"type": "boolean", "default": False}, text) for name, text in _FLAGS]
    keyed: dict[str, Any] = {"security": [{}, {"apiKey": []}]}
    return {
        "/api/v1/predict": {
            "post": _operation(
                "predict", "bets", "Grade one bet",
                parameters=flags,
                body=("Bet", {"bet": EXAMPLE_BET, "even money": _EVEN_BET}),
                answer=_ref("Prediction"), errors=(*_WITH_BODY, *_KEYED), **keyed,
            ),
            "get": _operation(
                "predictByQuery", "bets", "Grade one bet given as query parameters; raises no alert",
                parameters=[*bet_query, *flags],
                answer=_ref("Prediction"), errors=(InvalidRequest, *_KEYED), **keyed,
            ),
        },
        "/api/v1/batch-predict": {
            "post": _operation(
                "batchPredict", "bets", f"Grade 1 to {MAX_BETS} bets; a bad one costs only itself",
                parameters=flags,
                body=("Batch", {"two good bets, one bad": {"bets": [EXAMPLE_BET, _BAD_BET, EXAMPLE_BET]}}),
                answer=_ref("BatchAnswer"), errors=(*_WITH_BODY, *_KEYED), **keyed,
            )
        },
        "/api/v1/model-info": {
            "get": _operation(
                "modelInfo", "models", "The model set that serves",
                parameters=[_parameter("If-None-Match", {"type": "string"}, "ETag held", place="header")],
                answer=_ref("ModelInfo"), errors=_KEYED, not_modified=True, **keyed,
            )
        },
        "/api/v1/reload-models": {
            "post": _operation(
                "reloadModels", "models", "Look at MODEL_DIR now",
                answer=_ref("Reload"), errors=(*_WITH_BODY, Unauthorized, Forbidden, ModelsRefused),
                security=[{}, {"adminToken": []}],
            )
        },
        "/api/v1/drift-report": {
            "get": _operation(
                "driftReport", "models", "Live traffic of the past day against the training baseline",
                answer={"type": "object"}, errors=_KEYED, **keyed,
            )
        },
        "/health": {
            "get": _operation(
                "health", "operation", "For the load balancer: 200 while it serves, 503 without models",
                answer=_ref("Health"), also={"503": ("No model set is loaded", _ref("Health"))},
            )
        },
        "/ready": {
            "get": _operation(
                "ready", "operation", "200 once models are loaded and warmed",
                answer=_status("ready"), also={"503": ("Not yet", _status("starting"))},
            )
        },
        "/live": {"get": _operation("live", "operation", "200 while the process answers", answer=_status("alive"))},
        "/metrics": {
            "get": _operation(
                "metrics", "operation", "Metrics of all workers, as Prometheus text",
                answer={"type": "string"}, media="text/plain",
            )
        },
        "/openapi.json": {
            "get": _operation("openapi", "operation", "This document", answer={"type": "object"})
        },
        **{
            path: {"get": _operation(name, "operation", text, answer={"type": "string"}, media="text/html")}
            for path, name, text in (
                ("/docs", "docs", "This document, for people"),
                ("/", "page", "Page that grades bets"),
                ("/drift", "driftPage", "The drift report, for people"),
            )
        },
        "/ml-predict": {
            "get": _operation(
                "legacyPredict", "legacy", "Grade one bet given as query parameters; without odds -110 is assumed",
                parameters=[*legacy_query, *flags],
                answer=_ref("Prediction"), errors=(InvalidRequest, *_KEYED), **keyed,
            )
        },
        "/batch-predict": {
            "post": _operation(
                "legacyBatchPredict", "legacy", "Grade bets; the answers are in their order, errors among them",
                parameters=flags,
                body=("Batch", {"without odds, and a bad one": _LEGACY_BATCH}),
                answer=_ref("LegacyBatchAnswer"), errors=(*_WITH_BODY, *_KEYED), **keyed,
            )
        },
    }  # fmt: skip


def _operation(  # noqa: PLR0913 - an operation has this many parts
    identifier: str,
    tag: str,
    summary: str,
    *,
    answer: Mapping[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    body: tuple[str, Mapping[str, Any]] | None = None,
    errors: _Errors = (),
    also: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None,
    security: list[dict[str, list[str]]] | None = None,
    media: str = _JSON,
    not_modified: bool = False,
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Success", "content": {media: {"schema": answer}}}}
    if not_modified:
        responses["304"] = {"description": "The answer held is current"}
    every: _Errors = (*errors, *_ALWAYS)
    for error in every:
        responses[str(error.status)] = {
            "description": _ERRORS[error],
            "content": {_JSON: {"schema": _ref("Error")}},
        }
    for status, (text, schema) in (also or {}).items():
        responses[status] = {
            "description": text,
            "content": {_JSON: {"schema": {"anyOf": [schema, _ref("Error")]}}},
        }
    operation: dict[str, Any] = {
        "operationId": identifier,
        "tags": [tag],
        "summary": summary,
        "responses": dict(sorted(responses.items())),
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        name, examples = body
        shown = {title: {"value": value} for title, value in examples.items()}
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(name), "examples": shown}}}
    if security:
        operation["security"] = security
    return operation


def _bet_query(schemas: Mapping[str, Any], *, required: tuple[str, ...], loose: bool = False) -> list[dict[str, Any]]:
    known = schemas["Bet"]["properties"]
    parameters = []
    for name in (*CATEGORICAL[:4], "odds", *_OPTIONAL_QUERY):
        schema = QUERY_RULES.get(name, known[name])
        parameter = _parameter(name, schema, known[name].get("description", ""), required=name in required)
        if name in EXAMPLE_BET:
            parameter["example"] = EXAMPLE_BET[name]
        if loose and name not in required:
            parameter["schema"] = {"anyOf": [parameter["schema"], {"type": "string", "pattern": ABSENT}]}
            parameter["description"] += "; empty, `undefined`, `null` and `NaN` mean not given"
        parameters.append(parameter)
    return parameters


def _parameter(
    name: str, schema: Mapping[str, Any], text: str, *, required: bool = False, place: str = "query"
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": dict(schema), "description": text}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _status(word: str) -> dict[str, Any]:
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}

"""The OpenAPI document, made of the table of routes and of the types that they read and answer with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter

from pikkit.bets.bet import LISTS, Bet, OddsLimits
from pikkit.bets.prediction import BatchAnswer, Prediction
from pikkit.bets.prices import WHITE_SPACE
from pikkit.errors import (
    BodyTooLarge,
    ErrorBody,
    Forbidden,
    HeadersTooLarge,
    InternalError,
    InvalidRequest,
    ModelsNotLoaded,
    ModelsRefused,
    PikkitError,
    TimedOut,
    TooSlow,
    Unauthorized,
    UnsupportedMedia,
)
from pikkit.grading.grader import MAX_BETS
from pikkit.settings import Settings
from pikkit.web.handlers import Handlers
from pikkit.web.legacy import ABSENT, FIELDS
from pikkit.web.options import OPTIONS
from pikkit.web.routes import ROUTES, Handler, Route
from pikkit.web.schemas import (
    BET_RULES,
    QUERY_RULES,
    HealthBody,
    LegacyBatchAnswer,
    ModelInfoBody,
    ReloadBody,
    StateBody,
)

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
_FLAGS: Mapping[str, str] = {
    "explain": "Adds `reasons`: the strongest contributions, in words",
    "dry_run": "Raises no alert and leaves no trace in the prediction log",
}
_Errors = tuple[type[PikkitError], ...]

_ERRORS: Mapping[type[PikkitError], str] = {
    InvalidRequest: "The request breaks a rule; `field` names which part, `message` says what to send instead",
    Unauthorized: "No key or token, or an unknown one",
    Forbidden: "Closed here, or the token is wrong",
    TooSlow: "The body did not arrive in time",
    ModelsRefused: "What lies in MODEL_DIR can't be served; the old set keeps serving",
    BodyTooLarge: "The body is over 1 MiB",
    UnsupportedMedia: "The body is not plain JSON in UTF-8 by its headers",
    HeadersTooLarge: "The headers are too large",
    InternalError: "A fault of the service; its log has the cause under the request id",
    ModelsNotLoaded: "Busy, or no model set yet: try again after Retry-After",
    TimedOut: "No answer in time: try again",
}
_ALWAYS: _Errors = (HeadersTooLarge, InternalError, ModelsNotLoaded, TimedOut)
_WITH_BODY: _Errors = (InvalidRequest, TooSlow, BodyTooLarge, UnsupportedMedia)
_NEEDS: Mapping[str | None, tuple[_Errors, str]] = {
    "key": ((Unauthorized,), "apiKey"),
    "token": ((Unauthorized, Forbidden, ModelsRefused), "adminToken"),
}
_TAGS = {
    "bets": "Grading",
    "models": "The model set that serves",
    "legacy": "What the extension in the field calls; kept as it is",
    "operation": "Probes, metrics and pages",
}
# Names of the schemas, each made of its type.
_TYPES: Mapping[str, Any] = {
    "Bet": Bet,
    "Prediction": Prediction,
    "BatchAnswer": BatchAnswer,
    "LegacyBatchAnswer": LegacyBatchAnswer,
    "ErrorBody": ErrorBody,
    "Health": HealthBody,
    "State": StateBody,
    "ModelInfo": ModelInfoBody,
    "Reload": ReloadBody,
}
# What each route answers with: the name of a schema, or else a media type; anything else is an object of JSON.
_ANSWERS: Mapping[Handler, str] = {
    Handlers.predict: "Prediction",
    Handlers.predict_query: "Prediction",
    Handlers.batch_predict: "BatchAnswer",
    Handlers.legacy_predict: "Prediction",
    Handlers.legacy_batch: "LegacyBatchAnswer",
    Handlers.model_info: "ModelInfo",
    Handlers.reload_models: "Reload",
    Handlers.health: "Health",
    Handlers.ready: "State",
    Handlers.live: "State",
    Handlers.metrics: "text/plain",
    Handlers.index_page: "text/html",
    Handlers.docs_page: "text/html",
    Handlers.drift_page: "text/html",
}
_BODIES: Mapping[Handler, tuple[str, Mapping[str, Any]]] = {
    Handlers.predict: ("Bet", {"bet": EXAMPLE_BET, "even money": _EVEN_BET}),
    Handlers.batch_predict: ("Batch", {"two good bets, one bad": {"bets": [EXAMPLE_BET, _BAD_BET, EXAMPLE_BET]}}),
    Handlers.legacy_batch: ("Batch", {"without odds, and a bad one": _LEGACY_BATCH}),
}


def document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this service."""
    schemas = _schemas(OddsLimits(settings.min_odds, settings.max_odds))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pikkit ML API",
            "version": settings.app_version,
            "description": (
                "Grades sports bets: win probability, expected ROI, Kelly stake and a grade from A to F. "
                "Probabilities are fractions; ROI and stake are percent. Every error has the shape of `Error`."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
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
    for name, kind in _TYPES.items():
        schema = TypeAdapter(kind).json_schema(ref_template=_REF, mode="validation")
        found.update(schema.pop("$defs", {}))
        found[name] = {**schema, "title": name}
    found["Bet"]["properties"].update(BET_RULES)
    for name, text in _FLAGS.items():
        found["Bet"]["properties"][name] = {"type": "boolean", "default": False, "description": text}
    found["Bet"]["allOf"] = [{"anyOf": _odds_by_format(limits)}]
    for sent in ("Bet", "Leg", "Price", "BookPrices"):
        fields = found[sent]["properties"]
        fields.update({name: _optional(fields[name]) for name in fields.keys() - {*found[sent]["required"], *OPTIONS}})
    found["Error"] = {"type": "object", "required": ["error"], "properties": {"error": _ref("ErrorBody")}}
    found["Batch"] = {
        "type": "object",
        "required": ["bets"],
        "properties": {
            **{name: {"type": "boolean", "default": False, "description": text} for name, text in _FLAGS.items()},
            "bets": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_BETS,
                "items": {
                    "anyOf": [_ref("Bet"), {"description": "Anything else: one entry in `errors`, with its index"}]
                },
            },
        },
    }
    return found


def _optional(schema: Mapping[str, Any]) -> dict[str, Any]:
    """That of an optional field: null, blank text and an empty list of a list mean that it is absent."""
    told = {name: schema[name] for name in ("title", "description", "default", "examples") if name in schema}
    rule = {name: value for name, value in schema.items() if name not in told}
    options = rule["anyOf"] if list(rule) == ["anyOf"] else [rule]
    kept = [option for option in options if option != {"type": "null"}]
    kept += [{**option, "minItems": 0, "maxItems": 0} for option in kept if option.get("minItems")]
    return {"anyOf": [*kept, {"type": "null"}, {"type": "string", "pattern": rf"^[{WHITE_SPACE}]*$"}], **told}


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
    paths: dict[str, Any] = {}
    for route in ROUTES:
        if route.handler is not None and route.in_reference:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, route.handler, schemas)
    return paths


def _operation(route: Route, handler: Handler, schemas: Mapping[str, Any]) -> dict[str, Any]:
    errors, scheme = _NEEDS.get(route.needs, ((), ""))
    if route.method == "POST":
        errors += _WITH_BODY
    elif route.needs == "key" and handler in (Handlers.predict_query, Handlers.legacy_predict):
        errors += (InvalidRequest,)
    name: str = handler.__name__
    operation: dict[str, Any] = {
        "operationId": re.sub(r"_(\w)", lambda found: found[1].upper(), name),
        "tags": [_tag(route)],
        "summary": (handler.__doc__ or "").partition("\n")[0].rstrip("."),
        "parameters": _parameters(handler, schemas),
        "responses": _responses(handler, (*errors, *_ALWAYS)),
    }
    if handler in _BODIES:
        schema, examples = _BODIES[handler]
        shown = {title: {"value": value} for title, value in examples.items()}
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(schema), "examples": shown}}}
    if scheme:
        operation["security"] = [{}, {scheme: []}]
    return operation


def _tag(route: Route) -> str:
    if not route.path.startswith("/api/"):
        return "operation" if route.needs is None else "legacy"
    return "bets" if route.path.endswith("predict") else "models"


def _responses(handler: Handler, errors: _Errors) -> dict[str, Any]:
    answer = _ANSWERS.get(handler, _JSON)
    media = answer if "/" in answer else _JSON
    schema = _ref(answer) if "/" not in answer else {"type": "object" if media == _JSON else "string"}
    responses: dict[str, Any] = {"200": {"description": "Success", "content": {media: {"schema": schema}}}}
    if handler == Handlers.model_info:
        responses["304"] = {"description": "The answer held is current"}
    for error in errors:
        responses[str(error.status)] = {"description": _ERRORS[error], "content": {_JSON: {"schema": _ref("Error")}}}
    if handler in (Handlers.health, Handlers.ready):
        busy = responses[str(HTTPStatus.SERVICE_UNAVAILABLE.value)]
        busy["description"] = "Not yet"
        busy["content"][_JSON]["schema"] = {"anyOf": [schema, _ref("Error")]}
    return dict(sorted(responses.items()))


def _parameters(handler: Handler, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    if handler == Handlers.model_info:
        return [_parameter("If-None-Match", {"type": "string"}, "ETag held", place="header")]
    flags = [_parameter(name, {"type": "boolean", "default": False}, text) for name, text in _FLAGS.items()]
    if handler == Handlers.predict_query:
        return [*_bet_query(schemas, schemas["Bet"]["required"]), *flags]
    if handler == Handlers.legacy_predict:
        required = ["league", *(name for name in schemas["Bet"]["required"] if name != "odds")]
        return [*_bet_query(schemas, required, legacy=True), *flags]
    return flags if handler in _BODIES else []


def _bet_query(schemas: Mapping[str, Any], required: list[str], *, legacy: bool = False) -> list[dict[str, Any]]:
    """A bet's fields as query parameters; a list is written as JSON."""
    parameters = []
    for name, known in schemas["Bet"]["properties"].items():
        if name in OPTIONS or (legacy and name not in FIELDS):
            continue
        schema = QUERY_RULES.get(name, known)
        text = known.get("description", "")
        if name in LISTS:
            content = {"name": name, "in": "query", "required": False, "content": {_JSON: {"schema": schema}}}
            parameters.append({**content, "description": text})
            continue
        if legacy and name not in required:
            schema = {"anyOf": [schema, {"type": "string", "pattern": ABSENT}]}
            text += "; empty, `undefined`, `null` and `NaN` mean not given"
        parameter = _parameter(name, schema, text, required=name in required)
        if name in EXAMPLE_BET:
            parameter["example"] = EXAMPLE_BET[name]
        parameters.append(parameter)
    return parameters


def _parameter(
    name: str, schema: Mapping[str, Any], text: str, *, required: bool = False, place: str = "query"
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": dict(schema), "description": text}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}

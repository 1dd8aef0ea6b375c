"""`python -m pikkit.web.types`: TypeScript types of the HTTP contract, from the OpenAPI document."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from pikkit.settings import Settings
from pikkit.web.openapi import document

__all__ = ["typescript"]

_HEAD = "// Types of the HTTP contract. Made by `make client-types` from /openapi.json; do not edit.\n"
_PRIMITIVES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def typescript(described: Mapping[str, Any]) -> str:
    """One exported interface or type per schema, in the order of their names."""
    schemas = described["components"]["schemas"]
    return _HEAD + "".join(f"\n{_declaration(name, schemas[name])}" for name in sorted(schemas))


def _declaration(name: str, schema: Mapping[str, Any]) -> str:
    comment = f"/** {' '.join(schema['description'].split())} */\n" if schema.get("description") else ""
    if "properties" not in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    required = schema.get("required", ())
    lines = [
        (f"  /** {field['description']} */\n" if field.get("description") else "")
        + f"  {key}{'' if key in required else '?'}: {_type(field)};\n"
        for key, field in schema["properties"].items()
    ]
    return f"{comment}export interface {name} {{\n{''.join(lines)}}}\n"


def _type(schema: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one for each kind of schema
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(option) for option in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            inner = _type(schema.get("items", {}))
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case "object":
            values = schema.get("additionalProperties")
            return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
        case None:
            return "unknown"
        case kind:
            return _PRIMITIVES[str(kind)]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(typescript(document(Settings(_env_file=None))), end="")  # noqa: T201 - the output

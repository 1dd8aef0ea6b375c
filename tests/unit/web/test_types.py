from pikkit.settings import Settings
from pikkit.web.openapi import document
from pikkit.web.types import typescript
from tests.support.need import root


def test_the_types_in_the_repository_are_those_of_the_contract() -> None:
    made = typescript(document(Settings(_env_file=None)))
    assert (root() / "examples/chrome-extension/api.d.ts").read_text(encoding="utf-8") == made, "make client-types"


def test_optional_null_and_lists_are_told_apart() -> None:
    schema = {
        "components": {
            "schemas": {
                "Thing": {
                    "required": ["a"],
                    "properties": {
                        "a": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                        "b": {"enum": ["x", 1]},
                        "c": {"type": "object", "additionalProperties": {"type": "integer"}},
                        "d": {"$ref": "#/components/schemas/Other"},
                        "e": {},
                    },
                }
            }
        }
    }
    text = typescript(schema)
    for line in ("a: (string | null)[];", 'b?: "x" | 1;', "c?: Record<string, number>;", "d?: Other;", "e?: unknown;"):
        assert line in text

"""JSON schemas in words, the same for routes, settings and tools."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_BOUNDS = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "to {}"),
    ("exclusiveMaximum", "below {}"),
    ("maxItems", "of at most {} items"),
)
_FORMATS = {"date-time": "time", "path": "path", "password": "secret text"}
_LARGEST_TOLD = 2**53
_LONGEST_TOLD_LIST = 20


def spell_type(schema: Schema, links: str | None = None) -> str:
    """What values a schema takes; null is left out, as it is the same as leaving the value out.

    A reference becomes the name of what it refers to, linked where ``links`` is a page (empty: this one).
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"`{name}`" if links is None else f"[{name}]({links}#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            options = [option for option in schema[key] if option.get("type") != "null"]
            return " or ".join(dict.fromkeys(spell_type(option, links) for option in options))
    if "enum" in schema:
        values = [f"`{value}`" for value in schema["enum"]]
        return ", ".join(values) if len(values) <= _LONGEST_TOLD_LIST else f"one of {len(values)} words"
    if "const" in schema:
        return f"`{schema['const']}`"
    return " ".join([_spell_kind(schema, links), *_bounds(schema)])


def _spell_kind(schema: Schema, links: str | None) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(one for one in kind if one != "null")
    if kind == "array":
        return f"list of {spell_type(schema.get('items', {}), links)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"{_spell_values(schema['additionalProperties'], links)} by name"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    return {"boolean": "true or false", "integer": "whole number", "object": "object", None: "anything"}.get(
        kind, str(kind)
    )


def _spell_values(schema: Schema, links: str | None) -> str:
    if links is None and ("$ref" in schema or schema.get("type") == "object"):
        return "tables"
    return spell_type(schema, links)


def _bounds(schema: Schema) -> list[str]:
    return [
        words.format(_spell_number(schema[bound]))
        for bound, words in _BOUNDS
        if isinstance(schema.get(bound), int | float) and abs(schema[bound]) < _LARGEST_TOLD
    ]


def _spell_number(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) or not number.is_integer() else f"{int(number):,}"


def spell_default(schema: Schema) -> str:
    """The default of a field as it would be written, empty where there is none or it is null."""
    default = schema.get("default")
    match default:
        case None | {} | []:
            return ""
        case bool():
            return f"`{str(default).lower()}`"
    return f"`{default}`"


def describe_field(schema: Schema) -> str:
    """A field's description, its own or that of the one value it may have besides null."""
    if schema.get("description"):
        return str(schema["description"])
    told = [option["description"] for option in schema.get("anyOf", ()) if option.get("description")]
    return str(told[0]) if len(told) == 1 else ""

"""What a tool's parameters look like, made from the model of its request."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from markethub.mcp.tool import Shape, Tool
from markethub.wire.tools import FunctionDescription, FunctionTool

CURSOR = "cursor"

_CURSOR_SCHEMA = {
    "type": "string",
    "description": "`next_cursor` of the answer before, with the same other arguments: what comes after it",
}


@cache  # every call asks for it, and pydantic takes milliseconds
def describe_parameters(tool: Tool) -> dict[str, Any]:
    """The JSON schema of the tool's arguments: one flat object, nothing behind references.

    What may be null may as well be left out, so that null is not spelt out.
    """
    schema = tool.model.model_json_schema()
    definitions = schema.get("$defs", {})
    properties = {
        name: _flatten(field, definitions)
        for name, field in schema.get("properties", {}).items()
        if name not in tool.hidden
    }
    if tool.most_rows is not None:
        properties["limit"] = {
            "type": "integer",
            "minimum": 1,
            "description": f"rows to return, at most {tool.most_rows}",
        }
    if tool.shape is not Shape.ONE:
        properties[CURSOR] = _CURSOR_SCHEMA
    described: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if schema.get("required"):
        described["required"] = schema["required"]
    return described


def describe_tool(tool: Tool) -> str:
    """The tool's words, its request's, and the scope it needs."""
    details = " ".join((tool.model.__doc__ or "").replace("``", "`").split())
    return f"{tool.words} {details} Scope `{tool.scope}`."


def describe_function(tool: Tool) -> FunctionTool:
    """The tool as chat models' function calling wants it."""
    return FunctionTool(
        type="function",
        function=FunctionDescription(
            name=tool.name, description=describe_tool(tool), parameters=describe_parameters(tool)
        ),
    )


def _flatten(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in field.items() if name != "title"}
    if "$ref" in flat:
        flat = _flatten(definitions[flat.pop("$ref").rpartition("/")[2]], definitions) | flat
    if "anyOf" in flat:
        options = [option for option in flat.pop("anyOf") if option != {"type": "null"}]
        described = [_flatten(option, definitions) for option in options]
        flat = (described[0] | flat) if len(described) == 1 else {"anyOf": described, **flat}
    if isinstance(flat.get("items"), Mapping):
        flat["items"] = _flatten(flat["items"], definitions)
    if flat.get("default", 0) is None:
        del flat["default"]
    return flat

"""Every route of the API, from its OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

from markethub.api.app import create_api
from tools.reference.json_types import Schema, describe_field, spell_default, spell_type
from tools.reference.markdown import Gaps, code, meaning, page, prose, table

_INTRODUCTION = """\
Every route under `/api/v1` takes a token: `Authorization: Bearer mh_<id>_<secret>`, with the
[scope](scopes.md) that stands with the route. Those under `/api/dms` take one too, but let in programs on
the hub's own machine without one, unless the setting `dms.auth` says otherwise; promotion always needs one.
What nodes of a group ask each other, under `/api/dms/replication`, is not for others and stands not here.
Times are UTC: ISO 8601 in (a time without a zone is read
as UTC), a trailing `Z` out. Ranges are half-open, `start <= time < end`. Unknown parameters and fields
are refused. What each error means and what to do about it: [errors](errors.md). The document for
programs is at `/openapi.json`, the same for people at `/docs`."""

# The rest come after them, by name.
_TAGS = ("backfill", "data", "jobs", "executions", "logs", "subscriptions", "dms")

_SCOPE = re.compile(r"\s*Scope `([a-z:]+)`\.?")

Operation = Mapping[str, Any]


@cache  # it takes a second
def read_document() -> Mapping[str, Any]:
    """The OpenAPI document of the code that is installed."""
    return create_api().openapi()


def list_operations() -> Iterator[tuple[str, str, Operation]]:
    """Every operation as (method, path, what OpenAPI tells), in the order of the document."""
    for path, operations in read_document()["paths"].items():
        for method, operation in operations.items():
            if method.upper() in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                yield method.upper(), path, operation


def scope_of(operation: Operation) -> str | None:
    """The scope that an operation's description names; None where it names none."""
    found = _SCOPE.search(operation.get("description", ""))
    return found[1] if found else None


def write_routes(gaps: Gaps) -> str:
    """Return the page."""
    schemas: Mapping[str, Schema] = read_document()["components"]["schemas"]
    operations = sorted(list_operations(), key=_tag_order)
    overview = table(
        ("route", "what", "scope"),
        (
            (
                f"[`{method} {path}`](#{_anchor(method, path)})",
                operation.get("summary", ""),
                code(scope_of(operation) or ""),
            )
            for method, path, operation in operations
        ),
    )
    parts = [overview]
    for tag, tagged in groupby(operations, key=lambda one: _tag(one[2])):
        parts.append(f"## {tag.capitalize()}")
        for method, path, operation in tagged:
            parts += _describe(method, path, operation, schemas, gaps)
    parts += _shapes(schemas)
    return page("Routes", _INTRODUCTION, *parts)


def _tag(operation: Operation) -> str:
    return str(operation.get("tags", ["other"])[0])


def _tag_order(operation: tuple[str, str, Operation]) -> tuple[int, str]:
    tag = _tag(operation[2])
    return _TAGS.index(tag) if tag in _TAGS else len(_TAGS), tag


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^\w -]", "", f"{method} {path}".lower()).replace(" ", "-")


def _describe(
    method: str, path: str, operation: Operation, schemas: Mapping[str, Schema], gaps: Gaps
) -> Iterator[str]:
    name = f"{method} {path}"
    yield f"### {name}"
    yield meaning(_SCOPE.sub("", operation.get("description", "")), f"route {name}", gaps)
    scope = scope_of(operation)
    yield f"Scope: {code(scope) if scope else 'none'}."
    parameters = [
        (
            code(parameter["name"]),
            parameter["in"] + (", required" if parameter.get("required") else ""),
            spell_type(parameter["schema"], ""),
            spell_default(parameter["schema"]),
            meaning(
                parameter.get("description") or describe_field(parameter["schema"]),
                f"parameter {parameter['name']} of {name}",
                gaps,
            ),
        )
        for parameter in operation.get("parameters", [])
    ]
    yield table(("parameter", "where", "type", "default", "meaning"), parameters)
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{media_type}`:"
        yield _fields(content["schema"], schemas, name, gaps)
    yield "Answers: " + "; ".join(_answers(operation["responses"])) + "."


def _fields(schema: Schema, schemas: Mapping[str, Schema], name: str, gaps: Gaps) -> str:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    rows = [
        (
            code(field) + (", required" if field in required else ""),
            spell_type(one, ""),
            spell_default(one),
            meaning(describe_field(one), f"body field {field} of {name}", gaps),
        )
        for field, one in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    errors = []
    for status, response in responses.items():
        if _is_error(response):
            errors.append(status)
            continue
        contents = [
            spell_type(content["schema"], "") if "$ref" in content.get("schema", {}) else code(media_type)
            for media_type, content in response.get("content", {}).items()
        ]
        yield f"`{status}` {', '.join(contents)}".strip()
    if errors:
        yield f"errors [{', '.join(sorted(errors))}](errors.md)"


def _is_error(response: Mapping[str, Any]) -> bool:
    content = response.get("content", {}).get("application/json", {})
    return str(content.get("schema", {}).get("$ref", "")).endswith(("/ErrorEnvelope", "/DetailError"))


def _shapes(schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield "## Shapes of answers"
    for name in sorted(schemas):
        schema = schemas[name]
        yield f"### {name}"
        yield prose(schema.get("description"))
        if "enum" in schema:
            yield spell_type(schema)
        rows = [
            (code(field), spell_type(one, ""), prose(describe_field(one)))
            for field, one in schema.get("properties", {}).items()
        ]
        yield table(("field", "type", "meaning"), rows)

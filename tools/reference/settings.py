"""Every setting, from ``config.Settings`` and the options of the venues' adapters."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from markethub.app import VENUE_GROUP
from markethub.config import Settings
from tools.reference.json_types import Schema, describe_field, spell_default, spell_type
from tools.reference.markdown import Gaps, code, meaning, page, prose, table

_INTRODUCTION = """\
Flags of `markethub serve` win over `MARKETHUB_*` variables, those over `markethub.toml` of the working
directory or the file given with `--config`. Unknown keys are refused. In variables two underscores lead
into a table: `MARKETHUB_SERVER__PORT`, `MARKETHUB_VENUES__BNC__BASE_URL`; a list is written as JSON. A table
in double brackets is one item of a list, and may stand there any number of times."""

_VENUES = """\
Below `[venues.CODE]`, all written as text (`connections = "8"`). Which exchange is what:
[venues](../venues.md)."""

_NAME = "NAME"
_COLUMNS = ("setting", "type", "default", "meaning", "variable")
_ITEM = "[]"


def write_settings(gaps: Gaps) -> str:
    """Return the page."""
    schema = Settings.model_json_schema()
    parts = list(_describe_section("", schema, schema.get("$defs", {}), gaps))
    parts += ["## Options of exchanges", _VENUES]
    for group, codes in _find_options().items():
        parts.append(f"### {', '.join(f'[venues.{one}]' for one in codes)}")
        parts.append(table(("option", "type", "default", "meaning"), _describe_options(group, codes, gaps)))
    return page("Settings", _INTRODUCTION, *parts)


def _describe_section(
    path: str, schema: Schema, definitions: Mapping[str, Schema], gaps: Gaps
) -> Iterator[str]:
    """The section's own settings, then one heading for each section below it.

    The path of a section that is an item of a list ends with ``[]``; its settings have no variables.
    """
    rows, below = [], []
    for name, field in schema.get("properties", {}).items():
        own = f"{path}.{name}" if path else name
        section, suffix = _section_of(field, definitions)
        if section is not None:
            below.append((own + suffix, section))
        if section is None or "description" in field:
            rows.append(_describe_setting(own, name, _told(field, definitions), gaps))
    yield _head(path)
    if path:
        yield meaning(schema.get("description"), f"section [{path}]", gaps)
    columns = len(_COLUMNS) - path.endswith(_ITEM)
    yield table(_COLUMNS[:columns], (row[:columns] for row in rows))
    for own, section in below:
        yield from _describe_section(own, section, definitions, gaps)


def _head(path: str) -> str:
    if not path:
        return "## At the top of the file"
    name = path.removesuffix(_ITEM)
    return f"## [[{name}]]" if path.endswith(_ITEM) else f"## [{name}]"


def _section_of(field: Schema, definitions: Mapping[str, Schema]) -> tuple[Schema | None, str]:
    """The schema of the table that a setting is, may be, or has one of below each name or in each item; with
    what that adds to the setting's path."""
    tables = [("", field), *(("", option) for key in ("allOf", "anyOf") for option in field.get(key, ()))]
    tables += [(f".{_NAME}", field.get("additionalProperties")), (_ITEM, field.get("items"))]
    for suffix, schema in tables:
        if isinstance(schema, Mapping) and (section := _resolve(schema, definitions)).get("properties"):
            return section, suffix
    return None, ""


def _resolve(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    return definitions.get(str(schema.get("$ref")).rpartition("/")[2], {})


def _told(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The field itself, or, where it is one of some words, the words."""
    words = _resolve(field, definitions)
    if "enum" not in words:
        return field
    return {name: value for name, value in field.items() if name != "$ref"} | {"enum": words["enum"]}


def _describe_setting(own: str, name: str, field: Schema, gaps: Gaps) -> tuple[str, ...]:
    return (
        code(name),
        spell_type(field),
        spell_default(field),
        meaning(describe_field(field), f"setting {own}", gaps),
        code("MARKETHUB_" + own.upper().replace(".", "__")),
    )


def _find_options() -> dict[type[Any], list[str]]:
    """The options of each adapter that is ours, with the codes it is known by."""
    found: dict[type[Any], list[str]] = {}
    for point in sorted(entry_points(group=VENUE_GROUP), key=lambda point: point.name):
        if not point.module.startswith("markethub."):
            continue
        module = import_module(f"{point.module}.options")
        named = [
            one for name, one in vars(module).items() if name.endswith("Options") and inspect.isclass(one)
        ]
        for options in named:
            found.setdefault(options, []).append(point.name)
    return found


def _describe_options(group: type[Any], codes: list[str], gaps: Gaps) -> Iterator[tuple[str, ...]]:
    texts = _read_attribute_docstrings(group)
    for field in fields(group):
        default = "" if field.default in (None, MISSING, "") else str(field.default)
        yield (
            code(field.name),
            _spell_annotation(field.type),
            code(default.lower() if isinstance(field.default, bool) else default),
            meaning(texts.get(field.name), f"option {field.name} of {', '.join(codes)}", gaps),
        )


def _spell_annotation(annotation: object) -> str:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(code(value) for value in annotation)
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    kind = text.removesuffix(" | None").rpartition(".")[2]
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}[
        kind
    ]


def _read_attribute_docstrings(group: type[Any]) -> dict[str, str]:
    # Python keeps no docstrings of attributes: they are read from the source, as pydantic does.
    (tree,) = ast.parse(inspect.getsource(group)).body
    if not isinstance(tree, ast.ClassDef):
        raise TypeError(f"{group} is not a class")
    texts = {}
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = prose(text)
    return texts

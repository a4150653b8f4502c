"""The typed dictionaries of the client say what the server's models send, field by field."""

import inspect
from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from pydantic import BaseModel

from markethub.client import answers, node_answers
from markethub.wire import (
    accounts,
    audit,
    backfill,
    dms,
    dms_promotion,
    dms_tasks,
    dms_verification,
    execution_events,
    executions,
    jobs,
    limits,
    logs,
    pagination,
    plans,
    series,
    statistics,
    subscriptions,
)

_ROOMS = (
    accounts,
    audit,
    backfill,
    execution_events,
    executions,
    jobs,
    limits,
    logs,
    pagination,
    plans,
    series,
)
MODELS: dict[str, type[BaseModel]] = {
    name: model
    for room in (*_ROOMS, statistics, subscriptions, dms, dms_promotion, dms_tasks, dms_verification)
    for name, model in inspect.getmembers(room, inspect.isclass)
    if issubclass(model, BaseModel)
}
# Where the names differ; an answer to a backfill has a plan when it was a dry run.
_OTHER_NAMES = {
    "QueuedAnswer": "PlannedResponse",
    "PlanAnswer": "BackfillPlan",
    "AuditAnswer": "AuditEntry",
    "SyncAnswer": "SyncAnswer",
}
# Their rows are those of the stored tables.
_FREE = {"RecordPage"}

ANSWERS = {
    name: answer
    for room in (answers, node_answers)
    for name, answer in inspect.getmembers(room, inspect.isclass)
    if answer.__module__ == room.__name__ and name not in _FREE
}


def model_of(name: str) -> type[BaseModel]:
    stem = name.removesuffix("Answer")
    return MODELS[_OTHER_NAMES.get(name, stem if stem != name else name.removesuffix("Page") + "List")]


def sent_shape(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:  # noqa: ANN401  (nested names)
    """Names and JSON types; which values a text may have is the document's business."""
    if "$ref" in schema:
        return sent_shape(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if choices := schema.get("anyOf", schema.get("oneOf")):
        options = [sent_shape(option, definitions) for option in choices]
        if schema.get("default", ...) is None:
            options.remove("null")  # left out instead
        return options[0] if len(options) == 1 else one_of(options)
    if "properties" in schema:
        return {name: sent_shape(field, definitions) for name, field in schema["properties"].items()}
    if "items" in schema:
        return [sent_shape(schema["items"], definitions)]
    return schema["type"]


_JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
}


def typed_shape(hint: Any) -> Any:  # noqa: ANN401  (a type, and its nested names)
    if is_typeddict(hint):
        return {name: typed_shape(field) for name, field in get_type_hints(hint).items()}
    origin = get_origin(hint) or hint
    if origin is list:
        return [typed_shape(get_args(hint)[0])]
    if origin is Literal:
        return "string"
    if origin in (UnionType, Union):
        return one_of(typed_shape(option) for option in get_args(hint))
    return _JSON_TYPES[origin]


def one_of(options: Iterable[Any]) -> list[str]:
    return sorted(str(option) for option in options)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_typed_as_it_is_sent(name: str) -> None:
    sent = model_of(name).model_json_schema(mode="serialization")
    assert typed_shape(ANSWERS[name]) == sent_shape(sent, sent.get("$defs", {}))

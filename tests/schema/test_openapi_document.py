"""The OpenAPI document itself: complete, consistent, and as exact as a schema can be."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from markethub.api.app import create_api
from markethub.control import executions, jobs, logs
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account, Symbol, parse_root_symbol
from markethub.wire.executions import ExecutionQuery
from markethub.wire.jobs import JobQuery
from markethub.wire.logs import LogQuery
from markethub.wire.names import AccountName, CryptoName, InstrumentName, RootName
from tests.api.served_hub import ServedHub

DOCUMENT = create_api().openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def test_what_is_served_is_this_document(served: ServedHub) -> None:
    answer = requests.get(f"{served.url}/openapi.json", timeout=30)
    assert answer.json() == DOCUMENT
    assert json.dumps(create_api().openapi()) == json.dumps(DOCUMENT)  # to the order of keys


def test_operations_have_the_names_of_their_functions() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []


def test_every_operation_is_told_and_has_a_described_tag() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"]}
    for label, operation in operations():
        assert operation["summary"], label
        assert operation["description"], label
        assert len(operation["tags"]) == 1, label
        assert set(operation["tags"]) <= described, label


def test_every_parameter_has_type_words_and_a_value_to_copy() -> None:
    for label, operation in operations():
        for parameter in operation.get("parameters", []):
            where = f"{label} {parameter['name']}"
            schema = resolve(parameter["schema"])
            assert len(parameter.get("description", "")) > 5, where
            assert {"type": "null"} not in schema.get("anyOf", []), where
            items = schema.get("items", schema)
            shown = {"default", "examples", "enum"} & (schema.keys() | items.keys())
            assert shown, where
            assert is_bounded(items), where


def is_bounded(schema: dict[str, Any]) -> bool:
    match schema["type"]:
        case "integer" | "number":
            return {"minimum", "maximum"} <= schema.keys()
        case "string":
            return bool({"maxLength", "enum", "format"} & schema.keys())
    return bool(schema["type"] == "boolean")


def test_every_body_has_words_and_examples_that_fit_it() -> None:
    bodies = [(label, one["requestBody"]) for label, one in operations() if "requestBody" in one]
    assert len(bodies) > 8
    for label, body in bodies:
        schema = body["content"]["application/json"]["schema"]
        assert schema["examples"], label
        for example in schema["examples"]:
            jsonschema_rs.validate(schema, example)
        for name, field in schema["properties"].items():
            words = [field, *field.get("anyOf", [])]
            assert any(one.get("description") for one in words), f"{label} {name}"


def test_every_error_has_its_code_an_example_and_the_headers_that_come_with_it() -> None:
    codes = {
        401: "UNAUTHORIZED",
        403: "FORBIDDEN",
        404: "NOT_FOUND",
        409: "CONFLICT",
        422: "VALIDATION_ERROR",
    }
    codes |= {413: "PAYLOAD_TOO_LARGE", 429: "RATE_LIMITED", 431: "VALIDATION_ERROR", 500: "INTERNAL"}
    codes |= {503: "UNAVAILABLE"}
    schemas = DOCUMENT["components"]["schemas"]
    envelope = {**schemas["ErrorEnvelope"], "components": DOCUMENT["components"]}
    for label, operation in operations():
        for status, response in operation["responses"].items():
            if status == "200" or (label, status) == ("GET /healthz", "503"):
                continue
            where = f"{label} {status}"
            example = response["content"]["application/json"]["example"]
            if " /api/dms/" in label and status != "431":
                jsonschema_rs.validate(schemas["DetailError"], example)
            else:
                jsonschema_rs.validate(envelope, example)
                assert example["error"]["code"] == codes[int(status)], where
                assert f"(`{codes[int(status)]}`)" in response["description"], where
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503")), where
            assert ("WWW-Authenticate" in response["headers"]) == (status == "401"), where
            assert ("X-Request-ID" in response["headers"]) == (status != "431"), where


def test_every_answer_says_what_it_is() -> None:
    for label, operation in operations():
        answer = operation["responses"]["200"]
        assert answer["description"] != "Successful Response", label
        assert all("schema" in content for content in answer["content"].values()), label


def test_links_lead_from_a_field_of_the_answer_to_a_parameter() -> None:
    by_name = {operation["operationId"]: operation for _, operation in operations()}
    linked: dict[str, set[str]] = {}
    for operation in by_name.values():
        answer = operation["responses"]["200"]
        for link in answer.get("links", {}).values():
            target = by_name[link["operationId"]]
            parameters = {parameter["name"] for parameter in target["parameters"]}
            for name, pointer in link["parameters"].items():
                assert name in parameters
                assert any(find(answer["content"]["application/json"]["schema"], pointer))
            linked.setdefault(operation["operationId"], set()).add(link["operationId"])
    queueing = {name for name in by_name if name.startswith("backfill_")} | {"retry_execution"}
    next_steps = {"get_execution", "follow_execution", "cancel_execution", "retry_execution", "list_logs"}
    for name in queueing:
        assert linked[name] >= next_steps, name


def find(schema: dict[str, Any], pointer: str) -> Iterator[dict[str, Any]]:
    """The schemas of what a pointer may point to."""
    branches = [resolve(schema)]
    for part in pointer.removeprefix("$response.body#/").split("/"):
        options = [resolve(one) for branch in branches for one in branch.get("anyOf", [branch])]
        below = [one["items"] if part == "0" else one["properties"].get(part) for one in options]
        branches = [resolve(one) for one in below if one is not None]
    yield from branches


@pytest.mark.parametrize(
    ("model", "field", "allowed"),
    [
        (ExecutionQuery, "order_by", executions.ORDER_FIELDS),
        (JobQuery, "order_by", jobs.ORDER_FIELDS),
        (LogQuery, "level", logs.LEVELS),
    ],
)
def test_documented_choices_are_those_that_are_allowed(model: Any, field: str, allowed: Any) -> None:  # noqa: ANN401
    schema = model.model_json_schema()["properties"][field]
    assert set(schema["enum"]) == set(allowed)


def pattern_of(annotated: Any) -> str:  # noqa: ANN401  (a type with metadata)
    return str(annotated.__metadata__[-1].json_schema_extra["pattern"])


PARSERS = {
    pattern_of(CryptoName): Symbol.parse,
    pattern_of(InstrumentName): Symbol.parse,
    pattern_of(RootName): parse_root_symbol,
    pattern_of(AccountName): Account.parse,
}


@pytest.mark.parametrize("pattern", PARSERS)
@given(data=st.data())
def test_plain_names_of_a_documented_pattern_are_names(pattern: str, data: st.DataObject) -> None:
    alphabet = st.characters(codec="ascii")
    name = data.draw(st.from_regex(pattern.replace("$", r"\Z"), alphabet=alphabet))
    PARSERS[pattern](name)


@pytest.mark.parametrize("pattern", PARSERS)
@given(
    name=st.from_regex(r"\w{1,6}[_.]\w{1,6}([_.][A-Z]{3})?", fullmatch=True)
    | st.sampled_from(["BTC_USDT.BNC", "币安人生_USDT.BNC", "US.BRK.B", "ÄÖ_ÉÈ", "OKX_MM-01"])
)
def test_no_name_is_outside_its_documented_pattern(pattern: str, name: str) -> None:
    try:
        PARSERS[pattern](name)
    except InputError:
        return
    if pattern == pattern_of(CryptoName) and Symbol.parse(name).is_stock:
        return
    assert re.search(pattern, name)

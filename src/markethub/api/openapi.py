"""What the OpenAPI document says beyond what FastAPI reads from the routes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from markethub.api.access import TOKENLESS_SCOPES
from markethub.api.errors import DMS_PREFIX
from markethub.domain.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    MarketHubError,
    NotFoundError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
)
from markethub.wire.errors import DetailError, ErrorEnvelope

_ENVELOPE = {"$ref": f"#/components/schemas/{ErrorEnvelope.__name__}"}
_DETAIL = {"$ref": f"#/components/schemas/{DetailError.__name__}"}
_UNSAID = "Successful Response"  # FastAPI's words for an answer that the route does not describe

_RETRY_AFTER = {
    "Retry-After": {
        "description": "seconds to wait before the next try",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "examples": [1]},
    }
}

_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "how to show a token",
        "required": True,
        "schema": {"type": "string", "examples": ['Bearer realm="markethub"']},
    }
}

_REQUEST_ID = {
    "description": "names the request in the server's log: the caller's own `X-Request-ID` where it sent a "
    "short plain one, else a new one",
    "required": True,
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._\-]{1,64}$"},
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    meaning: str
    message: str
    headers: Mapping[str, Any] = field(default_factory=dict)


_REFUSALS = {
    401: _Refusal(
        UnauthorizedError.code,
        "No token, or one that is unknown, expired or revoked (`UNAUTHORIZED`).",
        "the token is unknown, expired or revoked",
        _CHALLENGE,
    ),
    403: _Refusal(
        ForbiddenError.code,
        "The token lacks the scope that the message names (`FORBIDDEN`).",
        "this needs the scope write:backfill; the token has read:data",
    ),
    404: _Refusal(NotFoundError.code, "No such thing (`NOT_FOUND`).", "Job not found: invalid_job_name"),
    409: _Refusal(
        ConflictError.code,
        "Its present state does not allow this (`CONFLICT`).",
        "execution 12345 ended as SUCCESS; nothing of it failed",
    ),
    413: _Refusal(
        "PAYLOAD_TOO_LARGE",
        "The body is larger than a request needs to be (`PAYLOAD_TOO_LARGE`).",
        "the body may have at most 1000000 bytes",
    ),
    422: _Refusal(
        InputError.code,
        "The request is wrong; the message names field, value and what is allowed (`VALIDATION_ERROR`).",
        "limit '0' should be greater than or equal to 1",
    ),
    429: _Refusal(
        RateLimitedError.code,
        "Too many requests: come back after `Retry-After` seconds (`RATE_LIMITED`).",
        "token 3 (desk) may send 6000 requests a minute, 6000 of them at once; the next one in 0.01 s",
        _RETRY_AFTER,
    ),
    431: _Refusal(
        InputError.code,
        "Path, query and headers are too long together; the connection is closed (`VALIDATION_ERROR`).",
        "path, query and headers may have 32768 bytes together",
    ),
    500: _Refusal(
        MarketHubError.code,
        "Our mistake; the server's log has it under the answer's `X-Request-ID` (`INTERNAL`).",
        "unexpected error; the server's log has it under request 5a3c0e1d",
    ),
    503: _Refusal(
        UnavailableError.code,
        "Not ready, or a needed service is away: try again after `Retry-After` seconds (`UNAVAILABLE`).",
        "the hub is starting or has stopped; try again",
        _RETRY_AFTER,
    ),
}

_CODE_WORD = re.compile(r" \(`[A-Z_]+`\)")

_DMS_REFUSALS = {
    400: _Refusal(
        InputError.code,
        "The request is wrong; the detail names field, value and what is allowed.",
        "limit '0' should be greater than or equal to 1",
    ),
    403: _Refusal(
        ForbiddenError.code,
        "The token lacks the scope that the detail names, or this node has the other role.",
        "only a master does this; this node is a slave",
    ),
    404: _Refusal(NotFoundError.code, "No such thing.", "Slave not found: backup9; there are backup1"),
}


def document_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that may answer with these errors.

    431 and 500 come by themselves, and 429 with 401: who must show a token is counted.
    """
    return {status: _document_refusal(_REFUSALS[status]) for status in _with_usual(statuses)}


def document_dms_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """As ``document_errors``, of a route under `/api/dms`: 401 and 503 come by themselves too.

    What stops a request before it has a path, which is 431, has the envelope there as well.
    """
    told: dict[int | str, dict[str, Any]] = {}
    for status in _with_usual((*statuses, 401, 503)):
        refusal = _DMS_REFUSALS.get(status) or _REFUSALS[status]
        told[status] = _document_refusal(refusal)
        if status != 431:
            told[status] |= {
                "model": DetailError,
                "description": _CODE_WORD.sub("", refusal.meaning),
                "content": {"application/json": {"example": {"detail": refusal.message}}},
            }
    return told


def _with_usual(statuses: Sequence[int]) -> list[int]:
    counted = (429,) if 401 in statuses else ()
    return sorted({*statuses, *counted, 431, 500})


def _document_refusal(refusal: _Refusal) -> dict[str, Any]:
    example = {"error": {"code": refusal.code, "message": refusal.message}}
    return {
        "model": ErrorEnvelope,
        "description": refusal.meaning,
        "headers": dict(refusal.headers),
        "content": {"application/json": {"example": example}},
    }


def document_links(**pointers: str) -> dict[str, Any]:
    """Return the ``responses`` of a route whose good answer names what other operations take.

    Each is ``operation__parameter`` and the JSON pointer in the answer to what the parameter takes. Source:
    OpenAPI 3.1, "Link Object".
    """
    links: dict[str, dict[str, Any]] = {}
    for name, pointer in pointers.items():
        operation, _, parameter = name.partition("__")
        link = links.setdefault(operation, {"operationId": operation, "parameters": {}})
        link["parameters"][parameter] = f"$response.body#/{pointer}"
    return {"links": links}


class DocumentedAPI(FastAPI):
    """FastAPI whose document is held to what is sent: the header of every answer, no null in parameters."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, built once."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        document = super().openapi()
        document["components"]["headers"] = {"X-Request-ID": _REQUEST_ID}
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)  # FastAPI's own, which no answer of ours has
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if path.startswith(DMS_PREFIX):
                    _complete_dms(operation)
                _complete(operation, schemas)
        return document


def _complete_dms(operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)  # FastAPI's own; wrong parameters are 400 there
    security = operation.get("security", [])
    if any(TOKENLESS_SCOPES.issuperset(needed.get("token", ["admin"])) for needed in security):
        security.append({})  # whether a token is needed is the settings' business


def _complete(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    for status, response in operation["responses"].items():
        error = response.get("content", {}).get("application/json", {})
        if "example" in error:
            # FastAPI takes an error of a route that streams for one more stream.
            schema = _DETAIL if "detail" in error["example"] else _ENVELOPE
            response["content"] = {"application/json": {**error, "schema": schema}}
        if status == "431":
            continue  # refused before there was a request
        named = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
        response["headers"] = {**named, **response.get("headers", {})}
        if response["description"] == _UNSAID:
            schema = response["content"]["application/json"]["schema"]
            # A bare list, as the pages of DMS have them, is told of by what it holds.
            reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
            if reference is not None:
                response["description"] = schemas[reference.rpartition("/")[2]]["description"]
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # A parameter without a value is left out: neither a path nor a query can say null.
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**options[0], **rest}

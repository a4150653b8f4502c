"""JSON request bodies, read with a limit and parsed straight from bytes."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from markethub.api.errors import describe_problems
from markethub.domain.errors import InputError
from markethub.wire.model import RequestModel

MAX_BODY_BYTES = 1_000_000

Model = TypeVar("Model", bound=RequestModel)


def json_body(model: type[Model], *, may_be_empty: bool = False) -> Callable[[Request], Awaitable[Model]]:
    """Make the dependency that reads the body as ``model``; pair it with ``document_body``.

    Where it ``may_be_empty`` no body is as good as ``{}``.

    FastAPI's own body parameter is read before any dependency runs, so before the token is checked, without
    a limit, and by a parser that lets lone surrogates through.
    """

    async def read_model(request: Request) -> Model:
        content = await _read_limited(request)
        if may_be_empty and not content:
            return model()
        _check_content_type(request)
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            raise InputError(describe_problems(error.errors())) from error

    return read_model


def document_body(model: type[RequestModel], *, may_be_empty: bool = False) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route whose body is ``model``, a flat one without definitions."""
    return {
        "requestBody": {
            "required": not may_be_empty,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }


async def _read_limited(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if len(declared) > 9 or int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    # A chunked body declares nothing: it is counted while it arrives.
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(content)


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body may have at most {MAX_BODY_BYTES} bytes")


def _check_content_type(request: Request) -> None:
    declared = request.headers.get("content-type", "")
    media_type = declared.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise InputError(
            f"content-type {declared[:60]!r} is not application/json; send the body as JSON and say so"
        )

"""Every error as the one envelope, and under `/api/dms` in the shape of that door."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from markethub.domain.errors import (
    InputError,
    MarketHubError,
    RateLimitedError,
    ReplicationError,
    UnavailableError,
    VenueError,
)
from markethub.wire.errors import DetailError, ErrorBody, ErrorEnvelope

_log = structlog.get_logger(__name__)

DMS_PREFIX = "/api/dms"

_MOST_PROBLEMS = 5
_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class HttpCode:
    """A code that stands for no error of the domain: when it comes, and what its reader should do."""

    code: str
    when: str
    to_do: str


HTTP_CODES: Mapping[int, HttpCode] = {
    404: HttpCode("NOT_FOUND", "No such path.", "look at the path's spelling; `/docs` lists them all."),
    405: HttpCode(
        "METHOD_NOT_ALLOWED", "The path is right, the method is not.", "use one that `Allow` names."
    ),
    413: HttpCode(
        "PAYLOAD_TOO_LARGE",
        "The body is larger than a request needs to be.",
        "send several requests, each with a part of it.",
    ),
}
"""Of the statuses that the framework itself raises; the rest come from domain errors."""


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` in the shape that its path has."""
    app.add_exception_handler(MarketHubError, _answer_domain_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_parameters)
    app.add_exception_handler(HTTPException, _answer_http_error)


def error_response(
    path: str, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Build the answer to a request of ``path``.

    Under `/api/dms` it is `{"detail": ...}`, and wrong parameters are 400; elsewhere it is the envelope.
    """
    # A message may quote a caller, and UTF-8 has no lone surrogates.
    text = message.encode("utf-8", "replace").decode()
    answer: DetailError | ErrorEnvelope
    if path == DMS_PREFIX or path.startswith(f"{DMS_PREFIX}/"):
        answer, status = DetailError(detail=text), 400 if status == InputError.status else status
    else:
        answer = ErrorEnvelope(error=ErrorBody(code=code, message=text))
    return Response(orjson.dumps(answer.model_dump()), status, headers, "application/json")


def describe_problems(problems: Sequence[Mapping[str, Any]]) -> str:
    """Turn pydantic's errors into one sentence each, naming field, value and what is allowed."""
    told = [_describe(problem) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return "; ".join(told)


def _describe(problem: Mapping[str, Any]) -> str:
    path = [part for part in problem["loc"] if part not in ("query", "path", "body")]
    field = ".".join(str(part)[:60] for part in path) or "body"
    reason = problem["msg"]
    if problem["type"] == "missing":
        return f"{field} is missing"
    if problem["type"] == "json_invalid":
        return f"the body is not JSON: {problem['ctx']['error']}"
    for prefix in ("Input ", "Value error, "):
        reason = reason.removeprefix(prefix)
    value = repr(problem["input"])
    shown = value if len(value) <= 60 else f"{value[:60]}..."
    return f"{field} {shown} {reason[:1].lower()}{reason[1:]}"


async def _answer_domain_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, MarketHubError):
        raise error
    if isinstance(error, VenueError | ReplicationError):
        # Both are worked with in the background; one that a request needs after all is a service away.
        error = _as_unavailable(error)
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="markethub"'
    if isinstance(error, RateLimitedError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    if error.status >= 500:
        told = {"path": request.url.path, "code": error.code, "error": str(error)}
        if isinstance(error, UnavailableError):
            # Something else is away, which is no mistake of ours: its words say all.
            _log.warning("request_failed", **told)
        else:
            _log.error("request_failed", **told, exc_info=error)
    return error_response(request.url.path, error.status, error.code, str(error), headers)


def _as_unavailable(error: VenueError | ReplicationError) -> UnavailableError:
    translated = UnavailableError(str(error))
    translated.__cause__ = error
    return translated


async def _answer_invalid_parameters(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    message = describe_problems(error.errors())
    return error_response(request.url.path, InputError.status, InputError.code, message)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed_methods(headers.get("Allow", ""))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        message = f"{request.method[:20]} is not allowed here; allowed are {headers['Allow']}"
    elif error.status_code == 404:
        message = f"no such path: {request.url.path[:200]}"
    else:
        message = str(error.detail)
    known = HTTP_CODES.get(error.status_code)
    other = InputError.code if error.status_code < 500 else MarketHubError.code
    code = other if known is None else known.code
    return error_response(request.url.path, error.status_code, code, message, headers)


def _allowed_methods(of_route: str) -> str:
    methods = {method.strip() for method in of_route.split(",") if method.strip()}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))

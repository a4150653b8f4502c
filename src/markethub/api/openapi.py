"""What the OpenAPI document says beyond what FastAPI reads from the routes."""

from typing import Any

from markethub.wire.errors import ErrorEnvelope

_MEANINGS = {
    401: "No token, or one that is unknown, expired or revoked (`UNAUTHORIZED`).",
    403: "The token lacks the scope that the message names (`FORBIDDEN`).",
    404: "No such thing (`NOT_FOUND`).",
    409: "Its present state does not allow this (`CONFLICT`).",
    413: "The body is larger than a request needs to be (`PAYLOAD_TOO_LARGE`).",
    422: "The request is wrong; the message names field, value and what is allowed (`VALIDATION_ERROR`).",
    500: "Our mistake; the server's log has it under the answer's `X-Request-ID` (`INTERNAL`).",
    503: "Not ready, or a needed service is away: try again after `Retry-After` seconds (`UNAVAILABLE`).",
}


def document_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that may answer with these errors; 500 comes by itself."""
    return {status: {"model": ErrorEnvelope, "description": _MEANINGS[status]} for status in (*statuses, 500)}

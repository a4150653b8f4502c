"""What goes wrong between client and server, as the errors of the domain."""

import random

import httpx2
import orjson

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

_BY_CODE: dict[str, type[MarketHubError]] = {
    error.code: error
    for error in (
        InputError,
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        UnavailableError,
    )
}

_CODES_BY_STATUS = {error.status: code for code, error in _BY_CODE.items()} | {
    RateLimitedError.status: RateLimitedError.code
}

_FIRST_DELAY_S = 0.1
_DELAY_GROWTH = 4.0
_MOST_RETRIES = 3
_LONGEST_WAIT_S = 30.0

# Of its own: drawing from the shared generator would disturb whoever has seeded it.
_jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing


def error_of(response: httpx2.Response) -> MarketHubError:
    """Return the error that a refused request's envelope carries; reads the answer, where nobody has yet.

    Codes without a class of their own become InputError below status 500, MarketHubError above. Refusals
    under `/api/dms` have no code: there the status says it. An answer without an envelope comes from
    something between us and the hub, or from something else altogether.
    """
    envelope = _read_envelope(response)
    if envelope is None:
        return not_a_hub(response)
    code, message = envelope
    if code == RateLimitedError.code:
        return RateLimitedError(message, _retry_after_s(response, default_s=1.0))
    fallback = InputError if response.status_code < 500 else MarketHubError
    return _BY_CODE.get(code, fallback)(message)


def unreachable(url: str, error: Exception) -> UnavailableError:
    """Translate a network failure; the message holds the address and what failed."""
    return UnavailableError(f"no answer from {url}: {type(error).__name__}: {error}".rstrip(": "))


def not_a_hub(response: httpx2.Response) -> UnavailableError:
    """Return the error for an answer that no MarketHub server gives."""
    media_type = response.headers.get("content-type", "no content type")
    return UnavailableError(
        f"{response.request.url} does not answer like a MarketHub server: "
        f"HTTP {response.status_code}, {media_type[:60]}"
    )


class Attempts:
    """How often, and after how long, one call is sent again.

    Only a safe call is, and only after errors that may pass: no answer, not ready, too many requests.
    """

    def __init__(self, *, safe: bool) -> None:
        self._retries_left = _MOST_RETRIES if safe else 0
        self._delay_s = _FIRST_DELAY_S

    def delay_s_after(self, error: MarketHubError) -> float:
        """Return how long to wait before the next try; raise ``error`` itself when there is none."""
        wanted_s = error.retry_after_s if isinstance(error, RateLimitedError) else 0.0
        if not error.retryable or self._retries_left == 0 or wanted_s > _LONGEST_WAIT_S:
            raise error
        self._retries_left -= 1
        # Jitter keeps clients that failed together from coming back together.
        delay_s = self._delay_s * _jitter.uniform(0.5, 1.0)
        self._delay_s *= _DELAY_GROWTH
        return max(delay_s, wanted_s)


def _read_envelope(response: httpx2.Response) -> tuple[str, str] | None:
    try:
        found = orjson.loads(response.read())
    except orjson.JSONDecodeError:
        return None
    match found:
        case {"error": {"code": str(code), "message": str(message)}}:
            return code, message
        case {"detail": str(detail)} if response.request.url.path.startswith("/api/dms"):
            return _CODES_BY_STATUS.get(response.status_code, ""), detail
    return None


def _retry_after_s(response: httpx2.Response, default_s: float) -> float:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return default_s

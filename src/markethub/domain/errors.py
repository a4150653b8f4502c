"""Every error MarketHub raises on purpose.

Classes are split by what the caller does next, not by where the error arose::

    MarketHubError
    ├── InputError               the request is wrong: fix it
    ├── UnauthorizedError        no valid token
    ├── ForbiddenError           the token's scopes do not allow it
    ├── NotFoundError            no such thing
    ├── ConflictError            the thing's state does not allow it now
    ├── RateLimitedError         too many requests to us: wait
    ├── UnavailableError         not ready, or a needed service is away: try later
    │   └── StoreLockedError     another process holds the store
    ├── StoreError               the store refused or failed a write
    ├── MissingExtraError        an optional package is not installed
    └── VenueError               work against a venue failed
        ├── VenueUnavailableError    network, timeout, 5xx: retry with backoff
        ├── VenueThrottledError      the venue asks us to wait: retry after that
        ├── VenueProtocolError       an answer we cannot trust: retry, then give up
        ├── VenueRefusedError        the venue refuses the request: retrying is useless
        │   ├── SymbolNotListedError the venue lists no such symbol
        │   ├── KeyRefusedError      key, signature or passphrase are not accepted
        │   └── PermissionRefusedError   the key is fine, but may not do this
        └── ArchiveError             a bulk file cannot be used: take the next source
            ├── ArchiveMissingError      not published
            └── ChecksumMismatchError    its content is not what its checksum promises
"""

from typing import ClassVar


class MarketHubError(Exception):
    """Root of all errors: ``code`` is stable, ``status`` the HTTP answer, ``str(error)`` safe to show."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class InputError(MarketHubError):
    """The request is wrong; the message names field, value and what is allowed."""

    code = "VALIDATION_ERROR"
    status = 422


class UnauthorizedError(MarketHubError):
    """No token, or one that is unknown, expired or revoked."""

    code = "UNAUTHORIZED"
    status = 401


class ForbiddenError(MarketHubError):
    """The token is valid but lacks the scope that the message names."""

    code = "FORBIDDEN"
    status = 403


class NotFoundError(MarketHubError):
    """The named thing does not exist."""

    code = "NOT_FOUND"
    status = 404


class ConflictError(MarketHubError):
    """The thing exists, but its present state does not allow this."""

    code = "CONFLICT"
    status = 409


class RateLimitedError(MarketHubError):
    """The caller sent too many requests; ``retry_after_s`` says when to come back."""

    code = "RATE_LIMITED"
    status = 429
    retryable = True

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(MarketHubError):
    """Not ready, shutting down, or a needed service does not answer."""

    code = "UNAVAILABLE"
    status = 503
    retryable = True


class StoreLockedError(UnavailableError):
    """Another process holds the store; the message says what to do."""


class StoreError(MarketHubError):
    """The store refused or failed; nothing of the write was kept."""


class MissingExtraError(MarketHubError):
    """An optional package is needed; the message names the extra to install."""


class VenueError(MarketHubError):
    """Work against a venue failed; never a caller's mistake on our API."""

    code = "VENUE_ERROR"
    status = 502


class VenueUnavailableError(VenueError):
    """Network failure, timeout or 5xx."""

    code = "VENUE_UNAVAILABLE"
    retryable = True


class VenueThrottledError(VenueError):
    """The venue refused for load; nothing may be sent before ``retry_after_s`` has passed."""

    code = "VENUE_THROTTLED"
    retryable = True

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class VenueProtocolError(VenueError):
    """The venue's answer breaks its own documentation; nothing of it was stored."""

    code = "VENUE_PROTOCOL"
    retryable = True


class VenueRefusedError(VenueError):
    """The venue understood and refused; the message carries its code and words."""

    code = "VENUE_REFUSED"


class SymbolNotListedError(VenueRefusedError):
    """The venue lists no such symbol."""

    code = "SYMBOL_NOT_LISTED"


class KeyRefusedError(VenueRefusedError):
    """The venue does not accept the key, its signature or its passphrase; the message says what to check."""

    code = "VENUE_KEY"


class PermissionRefusedError(VenueRefusedError):
    """The key is known, but lacks a right, or this address is not on its list; the message says which."""

    code = "VENUE_PERMISSION"


class ArchiveError(VenueError):
    """A bulk file cannot be used."""

    code = "ARCHIVE_ERROR"


class ArchiveMissingError(ArchiveError):
    """The archive has no such file (yet)."""

    code = "ARCHIVE_MISSING"


class ChecksumMismatchError(ArchiveError):
    """The file's sha256 differs from the published one."""

    code = "CHECKSUM_MISMATCH"

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
    ├── ExecutionFailedError     work that was waited for did not end well
    ├── ReplicationError         another node sent what cannot be used: ask again
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

In each class's docstring the first sentence says when it comes, and the paragraph ``To do:`` what its reader
should do; docs/reference/errors.md is made from both.
"""

from typing import ClassVar


class MarketHubError(Exception):
    """A mistake of ours, or one that nothing else here describes.

    Root of all errors: ``code`` is stable, ``status`` the HTTP answer, ``str(error)`` safe to show.

    To do: look in the server's log for the answer's `X-Request-ID`, and report it.
    """

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class InputError(MarketHubError):
    """The request is wrong; the message names field, value and what is allowed.

    To do: correct the request; sent again as it is it gets the same answer.
    """

    code = "VALIDATION_ERROR"
    status = 422


class UnauthorizedError(MarketHubError):
    """No token, or one that is unknown, expired or revoked.

    To do: send `Authorization: Bearer mh_<id>_<secret>`; `markethub token create` makes a token.
    """

    code = "UNAUTHORIZED"
    status = 401


class ForbiddenError(MarketHubError):
    """The token is valid but lacks the scope that the message names.

    To do: use a token with that scope.
    """

    code = "FORBIDDEN"
    status = 403


class NotFoundError(MarketHubError):
    """The named thing does not exist.

    To do: look the name or id up in the list it should be in.
    """

    code = "NOT_FOUND"
    status = 404


class ConflictError(MarketHubError):
    """The thing exists, but its present state does not allow this.

    To do: look at its state; the message says which one is needed.
    """

    code = "CONFLICT"
    status = 409


class RateLimitedError(MarketHubError):
    """The caller sent too many requests; ``retry_after_s`` says when to come back.

    To do: wait for `Retry-After` seconds, then send the request again; the Python client does so with calls
    that may be repeated.
    """

    code = "RATE_LIMITED"
    status = 429
    retryable = True

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(MarketHubError):
    """Not ready, shutting down, or a needed service does not answer.

    To do: try again after `Retry-After` seconds; if it lasts, `markethub doctor` on the hub's machine says
    why.
    """

    code = "UNAVAILABLE"
    status = 503
    retryable = True


class StoreLockedError(UnavailableError):
    """Another process holds the store; the message says what to do.

    To do: talk to the hub that runs on this data folder, or stop it first.
    """


class StoreError(MarketHubError):
    """The store refused or failed; nothing of the write was kept.

    To do: look at disk space and at the server's log; the work is tried again by itself.
    """


class ExecutionFailedError(MarketHubError):
    """An execution that a client waited for ended as FAILURE or TIMEOUT; the message says why.

    To do: read its log; retry the execution when the cause is gone.
    """

    code = "EXECUTION_FAILED"


class ReplicationError(MarketHubError):
    """Another node of the group sent what cannot be used: cut short, or of another version.

    To do: nothing at first: it is asked for again; if it lasts, run the same version on all nodes and look at
    what lies between them.
    """

    code = "REPLICATION_ERROR"
    status = 502
    retryable = True


class MissingExtraError(MarketHubError):
    """An optional package is needed; the message names the extra to install.

    To do: install it, such as `pip install markethub[stocks]`, and start again.
    """


class VenueError(MarketHubError):
    """Work against a venue failed; never a caller's mistake on our API.

    To do: read the execution's log; retry the execution when the cause is gone.
    """

    code = "VENUE_ERROR"
    status = 502


class VenueUnavailableError(VenueError):
    """Network failure, timeout or 5xx.

    To do: nothing at first: it is tried again with growing pauses; if it lasts, look at network, proxy and
    the venue's status page.
    """

    code = "VENUE_UNAVAILABLE"
    retryable = True


class VenueThrottledError(VenueError):
    """The venue refused for load; nothing may be sent before ``retry_after_s`` has passed.

    To do: nothing at first: work goes on when the venue allows; if it lasts, lower the budget
    (`safety_fraction`) or look for other programs at the same address.
    """

    code = "VENUE_THROTTLED"
    retryable = True

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class VenueProtocolError(VenueError):
    """The venue's answer breaks its own documentation; nothing of it was stored.

    To do: nothing at first: it is asked again; if it lasts, report it with the message: the venue may have
    changed its API.
    """

    code = "VENUE_PROTOCOL"
    retryable = True


class VenueRefusedError(VenueError):
    """The venue understood and refused; the message carries its code and words.

    To do: read the venue's words; asking again as it is gets the same answer.
    """

    code = "VENUE_REFUSED"


class SymbolNotListedError(VenueRefusedError):
    """The venue lists no such symbol.

    To do: look at the spelling in `GET /api/v1/symbols`; a delisted symbol has only what was stored before.
    """

    code = "SYMBOL_NOT_LISTED"


class KeyRefusedError(VenueRefusedError):
    """The venue does not accept the key, its signature or its passphrase; the message says what to check.

    To do: correct the key that the account's setting refers to; a key file is read anew by itself, an
    environment variable needs a restart of the hub.
    """

    code = "VENUE_KEY"


class PermissionRefusedError(VenueRefusedError):
    """The key is known, but lacks a right, or this address is not on its list; the message says which.

    To do: give the key the right to read, or put the hub's address on its list, at the venue.
    """

    code = "VENUE_PERMISSION"


class ArchiveError(VenueError):
    """A bulk file cannot be used.

    To do: nothing: the next source is taken.
    """

    code = "ARCHIVE_ERROR"


class ArchiveMissingError(ArchiveError):
    """The archive has no such file (yet).

    To do: nothing: daily files or REST are taken instead.
    """

    code = "ARCHIVE_MISSING"


class ChecksumMismatchError(ArchiveError):
    """The file's sha256 differs from the published one.

    To do: nothing: daily files or REST are taken instead; if it lasts, something between the hub and the
    archive changes files.
    """

    code = "CHECKSUM_MISMATCH"

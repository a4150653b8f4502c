"""Every error, from the tree and from the API's own codes."""

from collections.abc import Iterator

from markethub.api.errors import HTTP_CODES
from markethub.domain import errors
from markethub.domain.errors import MarketHubError, VenueError
from tools.reference.markdown import Gaps, code, meaning, page, prose, table

_INTRODUCTION = """\
Every error answer is `{"error": {"code": ..., "message": ...}}`. Programs go by `code`, which is stable;
`message` is for people and may change. Under `/api/dms` it is `{"detail": ...}` with the message: there the
status tells what happened, and a wrong request is 400 instead of 422. The Python client raises the class of
the same code or status, all of them `markethub.domain.errors.MarketHubError`."""

_VENUE_WORDS = """\
Work against an exchange is done in the background, so these are found in an execution's `error`, in its
log and in the chunks of `GET /api/v1/executions/{execution_id}`. A request that needs an exchange at
once answers `503 UNAVAILABLE` instead. *Tried again*: the engine does so by itself, with growing pauses,
up to `workers.max_attempts` times."""

_MALFORMED = """\
What is not HTTP at all is answered with 400, and a head (path, query, headers) that is too long with 431,
both as `VALIDATION_ERROR`; the connection is closed then."""

_TO_DO = "To do:"


def write_errors(gaps: Gaps) -> str:
    """Return the page."""
    found = list(_walk(MarketHubError))
    answers = [error for error in found if not issubclass(error, VenueError)]
    venues = [error for error in found if issubclass(error, VenueError)]
    return page(
        "Errors",
        _INTRODUCTION,
        "## Errors of the API",
        table(
            ("status", "code", "class", "when", "what to do"),
            sorted([*((str(error.status), *_describe(error, gaps)) for error in answers), *_of_http()]),
        ),
        _MALFORMED,
        "## Errors of exchanges",
        _VENUE_WORDS,
        table(
            ("tried again", "code", "class", "when", "what to do"),
            (("yes" if error.retryable else "no", *_describe(error, gaps)) for error in venues),
        ),
    )


def _of_http() -> Iterator[tuple[str, ...]]:
    for status, known in HTTP_CODES.items():
        yield str(status), code(known.code), "", known.when, known.to_do[:1].upper() + known.to_do[1:]


def _walk(error: type[MarketHubError]) -> Iterator[type[MarketHubError]]:
    if error.__module__ == errors.__name__:
        yield error
    for child in error.__subclasses__():
        yield from _walk(child)


def _describe(error: type[MarketHubError], gaps: Gaps) -> tuple[str, str, str, str]:
    paragraphs = prose(error.__doc__).split("\n\n")
    to_do = next((part.removeprefix(_TO_DO) for part in paragraphs if part.startswith(_TO_DO)), "")
    return (
        code(error.code),
        code(error.__name__),
        meaning(paragraphs[0], f"error {error.__name__}", gaps),
        meaning(to_do, f"what to do about {error.__name__}", gaps),
    )

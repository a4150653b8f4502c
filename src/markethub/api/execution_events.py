"""An execution's events, as they happen. Source: HTML standard, "Server-sent events"."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub, needs
from markethub.api.executions import ExecutionId, execution_fields
from markethub.api.logs import show_log
from markethub.api.openapi import document_errors
from markethub.api.trace import IS_HEAD
from markethub.control.logs import LogLine
from markethub.control.values import MAX_ID
from markethub.domain.errors import ForbiddenError, InputError, MarketHubError, UnauthorizedError
from markethub.services import executions
from markethub.services.access import Principal, authenticate
from markethub.services.execution_events import Ended, EventFeeds, ExecutionEvent, Quiet, Seen
from markethub.services.hub import Hub
from markethub.wire.execution_events import ExecutionProgress
from markethub.wire.executions import ChunkProgress
from markethub.wire.model import AnswerModel

router = APIRouter(prefix="/api/v1", tags=["executions"])

SCOPE = "read:jobs"
LOG_SCOPE = "read:logs"
ASK_AGAIN_S = 30.0
"""A token is looked at this often while its stream lasts; it may end meanwhile."""
_RETRY_MS = 1_000
# Every number of so many digits can be one.
_LONGEST_ID = len(str(MAX_ID)) - 1

_log = structlog.get_logger(__name__)
_may_follow = needs(SCOPE)


class EventStream(StreamingResponse):
    """An answer that lasts; nothing between us and the reader may keep it back."""

    media_type = "text/event-stream"


_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM = {
    "description": "Events until the execution has ended.",
    "content": {
        "text/event-stream": {
            # Of one event, as tools read it: before version 3.2 OpenAPI knows no streams.
            "schema": {
                "type": "object",
                "properties": {
                    "event": {"type": "string", "enum": ["progress", "log", "end"]},
                    "id": {"type": "string", "description": "of a `log` event: its line's id"},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "of `progress` and `end` the execution with its progress, of `log` a "
                        "line of the log",
                    },
                },
                "required": ["event", "data"],
                "examples": [{"event": "log", "id": "17", "data": "{...}"}],
            }
        }
    },
}


@router.get(
    "/executions/{execution_id}/events",
    summary="Follow an execution",
    response_class=EventStream,
    responses={200: _STREAM, **document_errors(401, 403, 404, 422, 503)},
)
async def follow_execution(
    request: Request,
    hub: OpenHub,
    principal: Annotated[Principal, Depends(_may_follow)],
    execution_id: ExecutionId,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="the id of the last `log` event that came: go on after it",
            examples=["17"],
            json_schema_extra={"pattern": "^[0-9]+$", "maxLength": _LONGEST_ID},
        ),
    ] = None,
) -> EventStream:
    """Tell the state of an execution whenever it changes, its log line by line, and its end.

    Scope `read:jobs`; lines of the log only come to who has `read:logs` as well. One that has ended tells its
    state, its whole log and its end. Comments keep the connection alive. A stream that breaks off before
    `end` is asked for again with `Last-Event-ID`.
    """
    after_line = _read_line_id(last_event_id)
    found = await executions.get_execution(hub, execution_id)
    if request.scope.get(IS_HEAD):
        return EventStream(iter(()), headers=_HEADERS)  # nobody reads it, and it would not end
    feeds: EventFeeds = request.app.state.event_feeds
    with_lines = not {LOG_SCOPE, "admin"}.isdisjoint(principal.scopes)
    events = feeds.follow(hub, found.id, after_line=after_line, with_lines=with_lines)
    return EventStream(_write(events, _token_check(request, hub)), headers=_HEADERS)


def _read_line_id(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_ID:
        raise InputError(f"Last-Event-ID {text[:40]!r} is not the id of a log event")
    return int(text)


def _token_check(request: Request, hub: Hub) -> Callable[[], Awaitable[None]]:
    authorization = request.headers.get("authorization")

    async def check() -> None:
        """Raise UnauthorizedError or ForbiddenError once the token is no longer good for this."""
        (await authenticate(hub, authorization)).require(SCOPE)

    return check


async def _write(
    events: AsyncGenerator[ExecutionEvent], check_token: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    checked_s = clock()
    yield b"retry: %d\n\n" % _RETRY_MS
    try:
        async with aclosing(events):
            async for event in events:
                if clock() - checked_s >= ASK_AGAIN_S:
                    await check_token()
                    checked_s = clock()
                yield _encode(event)
    except (UnauthorizedError, ForbiddenError):
        return
    except MarketHubError as error:
        # Too late for an envelope: the reader asks again, and is told then.
        _log.warning("event stream broken off", error=str(error))


def _encode(event: ExecutionEvent) -> bytes:
    match event:
        case Quiet():
            return b": still here\n\n"
        case LogLine():
            return b"id: %d\n%s" % (event.id, _encode_data("log", show_log(event)))
        case Seen():
            return _encode_data("progress", _progress(event))
        case Ended():
            return _encode_data("end", _progress(event.seen))


def _encode_data(name: str, data: AnswerModel) -> bytes:
    # JSON has no line breaks of its own: one line is one field.
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n".encode()


def _progress(seen: Seen) -> ExecutionProgress:
    row = seen.execution
    counts: dict[str, Any] = {status.value.lower(): count for status, count in seen.counts.items()}
    return ExecutionProgress(
        **execution_fields(row),
        chunks=ChunkProgress(total=row.chunks_total, **counts),
        counters=dict(row.counters),
    )

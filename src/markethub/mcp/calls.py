"""Run a tool: its arguments become one request, the answer is cut to size."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

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
from markethub.mcp.answer_size import BYTES_PER_TOKEN, fit_rows, measure, shorten
from markethub.mcp.cursors import Cursor, identify_call
from markethub.mcp.schemas import CURSOR, describe_parameters
from markethub.mcp.tool import Shape, Tool
from markethub.wire.errors import ErrorBody, ErrorEnvelope
from markethub.wire.pagination import Pagination

_PLACE = re.compile(r"\{(\w+)\}")
_FRAME_BYTES = 500  # summary, cursor and pagination

# Under /api/dms a wrong request is 400, and errors tell no codes of their own.
_CODES = {400: InputError.code, 413: "PAYLOAD_TOO_LARGE"} | {
    error.status: error.code
    for error in (
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        RateLimitedError,
        UnavailableError,
    )
}


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the API; a list in ``query`` is a parameter that comes several times."""

    method: str
    path: str
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The API's answer: an HTTP status, and the JSON object, which is the error envelope from 400 on."""

    status: int
    document: dict[str, Any]

    @property
    def is_error(self) -> bool:
        return self.status >= 400


Ask = Callable[[Question], Awaitable[Reply]]
"""Puts a question to the API in the caller's name."""


async def call_tool(tool: Tool, arguments: Mapping[str, Any], ask: Ask, answer_tokens: int) -> Reply:
    """The tool's answer, ``answer_tokens`` long at most, or its error.

    A list comes with a ``summary`` and, where more follows, a ``next_cursor`` for the same call.
    """
    try:
        _check_names(tool, arguments)
        call = identify_call(tool.name, arguments)
        wanted = _continue(tool, call, arguments)
        return await _SHAPES[tool.shape](tool, call, wanted, ask, answer_tokens * BYTES_PER_TOKEN)
    except InputError as error:
        return refuse(error.status, error.code, str(error))


def refuse(status: int, code: str, message: str) -> Reply:
    """An error in the API's one shape."""
    text = message.encode("utf-8", "replace").decode()  # it may quote a caller
    return Reply(status, ErrorEnvelope(error=ErrorBody(code=code, message=text)).model_dump())


def read_reply(status: int, found: Any) -> Reply:  # noqa: ANN401  (JSON)
    """The API's answer as all tools have it: a bare list as ``data``, an error without a code with one."""
    match found:
        case list():
            return Reply(status, {"data": found})
        case {"detail": str(detail)} if status >= 400:
            return refuse(status, _CODES.get(status, MarketHubError.code), detail)
    return Reply(status, found)


def _check_names(tool: Tool, arguments: Mapping[str, Any]) -> None:
    schema = describe_parameters(tool)
    allowed = ", ".join(schema["properties"]) or "none"
    for name in arguments:
        if name not in schema["properties"]:
            raise InputError(f"field {name[:60]!r} is unknown; allowed are {allowed}")
    # What else is missing the API says, after it has judged the caller.
    for name in _PLACE.findall(tool.path):
        if arguments.get(name) is None:
            raise InputError(f"{name} is missing")


def _continue(tool: Tool, call: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the cursor, if there is one, sets them on."""
    wanted = {name: value for name, value in arguments.items() if value is not None}
    text = wanted.pop(CURSOR, None)
    if text is None:
        return wanted
    cursor = Cursor.parse(text)
    known = {"start", "end"} if tool.shape is Shape.BARS else {"offset"}
    if cursor.call != call or cursor.argument not in known:
        raise InputError(f"cursor belongs to another call; call {tool.name} with the arguments it came from")
    return wanted | {cursor.argument: cursor.value}


async def _answer_one(tool: Tool, _call: str, wanted: dict[str, Any], ask: Ask, room: int) -> Reply:
    reply = await ask(_build_question(tool, wanted))
    if reply.is_error or measure(reply.document) <= room:
        return reply
    cut = shorten(reply.document, room - _FRAME_BYTES)
    return Reply(reply.status, {"summary": "too long: its lists and texts are cut", **cut})


async def _answer_page(tool: Tool, call: str, wanted: dict[str, Any], ask: Ask, room: int) -> Reply:
    if tool.most_rows is not None and "limit" in wanted:
        wanted["limit"] = min(_count(wanted["limit"], "limit"), tool.most_rows)
    reply = await ask(_build_question(tool, wanted))
    if reply.is_error:
        return reply
    rows, total = reply.document["data"], reply.document["pagination"]["total"]
    offset = int(wanted.get("offset", 0))
    document, left = _fit_extras(reply.document, room - _FRAME_BYTES)
    kept = fit_rows(rows, left, from_end=False)
    if len(kept) < len(rows):
        document["pagination"] = Pagination.of(total=total, limit=len(kept), offset=offset).model_dump()
    return Reply(reply.status, _frame_rows(call, document, kept, offset, total))


def _fit_extras(document: Mapping[str, Any], room: int) -> tuple[dict[str, Any], int]:
    """The document of a page, what it has beside rows and pagination cut to half the room; and what is left
    of it for rows."""
    extras = {name: value for name, value in document.items() if name not in ("data", "pagination")}
    if not extras:
        return dict(document), room
    cut = shorten(extras, room // 2)
    return {**document, **cut}, room - measure(cut)


async def _answer_list(tool: Tool, call: str, wanted: dict[str, Any], ask: Ask, room: int) -> Reply:
    offset = _count(wanted.pop("offset", 0), "offset")
    reply = await ask(_build_question(tool, wanted))
    if reply.is_error:
        return reply
    rows = reply.document["data"]
    kept = fit_rows(rows[offset:], room - _FRAME_BYTES, from_end=False)
    return Reply(reply.status, _frame_rows(call, reply.document, kept, offset, len(rows)))


async def _answer_bars(tool: Tool, call: str, wanted: dict[str, Any], ask: Ask, room: int) -> Reply:
    most = tool.most_rows or 1
    limit = min(_count(wanted.get("limit", most), "limit"), most)
    # One more than wanted tells whether there are more.
    reply = await ask(_build_question(tool, wanted | {"limit": limit + 1 if limit > 0 else limit}))
    if reply.is_error:
        return reply
    bars = reply.document["data"]
    is_newest = "start" not in wanted
    asked = bars[-limit:] if is_newest else bars[:limit]
    kept = fit_rows(asked, room - _FRAME_BYTES, from_end=is_newest)
    cursor = None
    if len(kept) < len(bars):
        argument, edge = ("end", kept[0]) if is_newest else ("start", bars[len(kept)])
        cursor = Cursor(call, argument, edge["open_time"])
    summary = "no bars there"
    if kept:
        more = f"; {'earlier' if is_newest else 'later'} ones with next_cursor" if cursor else ""
        summary = f"{len(kept)} bars, {kept[0]['open_time']} to {kept[-1]['open_time']}{more}"
    return Reply(reply.status, _frame(reply.document, kept, summary, cursor))


_SHAPES: Mapping[Shape, Callable[[Tool, str, dict[str, Any], Ask, int], Awaitable[Reply]]] = {
    Shape.ONE: _answer_one,
    Shape.PAGE: _answer_page,
    Shape.LIST: _answer_list,
    Shape.BARS: _answer_bars,
}


def _build_question(tool: Tool, wanted: Mapping[str, Any]) -> Question:
    places = _PLACE.findall(tool.path)
    path = tool.path
    for name in places:
        path = path.replace(f"{{{name}}}", _spell_place(name, wanted[name]))
    rest = {name: value for name, value in wanted.items() if name not in places}
    if tool.method == "GET" or tool.in_query:
        query = {name: _spell(name, value) for name, value in rest.items()}
        return Question(tool.method, path, query, is_slow=tool.is_slow)
    # A POST that takes everything from its path has no body.
    has_body = tool.method == "PUT" or not places or bool(rest)
    return Question(tool.method, path, body=rest if has_body else None, is_slow=tool.is_slow)


def _spell_place(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip("."):
        raise InputError(f"{name} {repr(value)[:60]} is not a name or an id")
    return quote(str(value), safe="")


def _spell(name: str, value: object) -> str | list[str]:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case list() if all(isinstance(one, str | int) for one in value):
            return [str(one) for one in value]
    raise InputError(f"{name} {repr(value)[:60]} is neither a plain value nor a list of them")


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name} {repr(value)[:60]} is not a whole number")
    return value


def _frame_rows(
    call: str, document: Mapping[str, Any], kept: Sequence[dict[str, Any]], offset: int, total: int
) -> dict[str, Any]:
    end = offset + len(kept)
    if not kept:
        return _frame(document, kept, f"no rows after the first {offset} of {total}" if offset else "no rows")
    cursor = Cursor(call, "offset", end) if end < total else None
    more = "; more with next_cursor" if cursor else ""
    return _frame(document, kept, f"rows {offset + 1} to {end} of {total}{more}", cursor)


def _frame(
    document: Mapping[str, Any],
    kept: Sequence[dict[str, Any]],
    summary: str,
    cursor: Cursor | None = None,
) -> dict[str, Any]:
    following = None if cursor is None else str(cursor)
    return {"summary": summary, "next_cursor": following, **document, "data": list(kept)}

"""What each kind of fault does to a reply."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

if TYPE_CHECKING:
    from markethub.sandbox.faults import Fault

# What tells two pages of one list apart, rather than two lists.
_CURSORS: Final = frozenset(
    {"startTime", "endTime", "after", "before", "begin", "end", "from", "to", "limit", "period1", "period2"}
    | {"timestamp", "signature", "recvWindow"}
)
_TOLD_TIME: Final = re.compile(rb'("(?:serverTime|server_time|ts)"\s*:\s*"?)(\d{13})')
_SECONDS_BELOW: Final = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One request that meets a fault; ``handler`` gives the reply it would have had.

    ``pages`` holds the last page of every list, while there is a plan at all.
    """

    fault: "Fault | None"
    request: web.Request
    handler: Handler
    pages: MutableMapping[str, bytes]
    stopping: asyncio.Event

    @property
    def list_name(self) -> str:
        query = sorted((name, text) for name, text in self.request.query.items() if name not in _CURSORS)
        return f"{self.request.path} {query}"

    async def reply(self) -> web.Response:
        """The true reply, of which an effect spoils the body."""
        response = await self.handler(self.request)
        if not isinstance(response, web.Response) or not response.body:
            raise web.HTTPInternalServerError(text="this fault needs a reply with a body")
        return response

    async def reply_and_remember(self) -> web.StreamResponse:
        """The true reply, kept for a later fault that repeats it."""
        response = await self.handler(self.request)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            self.pages[self.list_name] = response.body
        return response


Effect = Callable[[Hit], Awaitable[web.StreamResponse]]
_Rows = list[Any]


def _fault(hit: Hit) -> "Fault":
    if hit.fault is None:
        raise ValueError("an effect needs its fault")
    return hit.fault


async def _answer_status(hit: Hit) -> web.StreamResponse:
    fault = _fault(hit)
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return web.Response(status=fault.status, text="sandbox fault", headers=headers)


async def _answer_html(hit: Hit) -> web.StreamResponse:
    text = "<!DOCTYPE html><html><head><title>Error</title></head><body>Please try again.</body></html>"
    return web.Response(status=_fault(hit).status, text=text, content_type="text/html")


async def _answer_garbage(_: Hit) -> web.StreamResponse:
    return web.Response(body=b'<html>\xff\x00 not what was asked for [1,2,"', content_type="application/json")


async def _answer_50011(_: Hit) -> web.StreamResponse:
    body = orjson.dumps({"code": "50011", "msg": "Too Many Requests", "data": []})
    return web.Response(body=body, content_type="application/json")


async def _miss_file(_: Hit) -> web.StreamResponse:
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
    return web.Response(status=404, text=body, content_type="application/xml")


async def _delay(hit: Hit) -> web.StreamResponse:
    await asyncio.sleep(_fault(hit).delay_ms / 1000)
    return await hit.handler(hit.request)


async def _hang(hit: Hit) -> web.StreamResponse:
    await hit.stopping.wait()
    raise web.HTTPServiceUnavailable


async def _disconnect(hit: Hit) -> web.StreamResponse:
    if hit.request.transport is not None:
        hit.request.transport.abort()
    return web.Response()


async def _truncate(hit: Hit) -> web.StreamResponse:
    body = _body_of(await hit.reply())
    half = web.StreamResponse()
    half.content_length = len(body)
    await half.prepare(hit.request)
    await half.write(body[: len(body) // 2])
    if hit.request.transport is not None:
        hit.request.transport.close()
    return half


async def _corrupt(hit: Hit) -> web.StreamResponse:
    response = await hit.reply()
    body = bytearray(_body_of(response))
    body[len(body) // 2] ^= 0x01
    response.body = bytes(body)
    return response


async def _wrong_checksum(hit: Hit) -> web.StreamResponse:
    response = await hit.reply()
    digest, separator, name = _body_of(response).partition(b" ")
    response.body = digest[::-1] + separator + name
    return response


async def _clock_skew(hit: Hit) -> web.StreamResponse:
    response = await hit.reply()
    skew_ms = _fault(hit).skew_ms
    response.body = _TOLD_TIME.sub(
        lambda match: match[1] + str(int(match[2]) + skew_ms).encode(), _body_of(response)
    )
    return response


async def _repeat_page(hit: Hit) -> web.StreamResponse:
    response = await hit.reply()
    response.body = hit.pages.get(hit.list_name, _body_of(response))
    return response


def _change_rows(change: Callable[[Hit, _Rows], _Rows]) -> Effect:
    async def effect(hit: Hit) -> web.StreamResponse:
        response = await hit.reply()
        answer = orjson.loads(_body_of(response))
        match answer:
            case [*rows]:
                answer = change(hit, rows)
            case {"data": [*rows]}:
                answer["data"] = change(hit, rows)
        response.body = orjson.dumps(answer)
        return response

    return effect


def _find_row(hit: Hit, rows: _Rows) -> int | None:
    """Where the row stands that the fault is about; None when this page does not have it."""
    wanted_ms = _fault(hit).row_ms
    if wanted_ms is None:
        return len(rows) // 2 if rows else None
    for position, row in enumerate(rows):
        if isinstance(row, list) and row:
            time = int(row[0])
            if (time * 1000 if time < _SECONDS_BELOW else time) == wanted_ms:
                return position
    return None


def _drop_row(hit: Hit, rows: _Rows) -> _Rows:
    found = _find_row(hit, rows)
    return rows if found is None else rows[:found] + rows[found + 1 :]


def _close_and_high(hit: Hit) -> tuple[int, int]:
    """Where they stand in a row: Gate.io has an order of its own."""
    return (2, 3) if hit.request.path.endswith("/candlesticks") else (4, 2)


def _amend_row(hit: Hit, rows: _Rows) -> _Rows:
    """Let the bar close at its high: another bar, and a sound one."""
    close, high = _close_and_high(hit)
    found = _find_row(hit, rows)
    if found is not None and isinstance(rows[found], list):
        rows[found][close] = rows[found][high]
    return rows


def _spoil_row(hit: Hit, rows: _Rows) -> _Rows:
    """Let the bar close at nothing that is a number."""
    close, _ = _close_and_high(hit)
    found = _find_row(hit, rows)
    if found is not None and isinstance(rows[found], list):
        rows[found][close] = "NaN"
    return rows


def _body_of(response: web.Response) -> bytes:
    body = response.body
    if not isinstance(body, bytes):
        raise TypeError(f"the sandbox replies with bytes, not {type(body).__name__}")
    return body


EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "status": _answer_status,
        "html": _answer_html,
        "garbage": _answer_garbage,
        "throttle_in_200": _answer_50011,
        "delay": _delay,
        "hang": _hang,
        "disconnect": _disconnect,
        "truncate": _truncate,
        "corrupt": _corrupt,
        "clock_skew": _clock_skew,
        "duplicate_page": _repeat_page,
        "reverse_page": _change_rows(lambda _, rows: rows[::-1]),
        "short_page": _change_rows(lambda _, rows: rows[: len(rows) // 2]),
        "missing_bar": _change_rows(_drop_row),
        "amended_bar": _change_rows(_amend_row),
        "bad_bar": _change_rows(_spoil_row),
        "wrong_checksum": _wrong_checksum,
        "late_archive": _miss_file,
    }
)
"""What each kind does.

``corrupt`` flips one bit; ``throttle_in_200`` is OKX's 50011; ``duplicate_page`` sends the page before once
more; ``short_page`` half of the rows; ``wrong_checksum`` is for ``.CHECKSUM`` files, ``late_archive`` for the
files themselves.
"""

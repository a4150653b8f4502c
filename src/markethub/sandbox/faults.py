"""Things that go wrong on purpose, so that a client can be seen to cope."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.domain.errors import InputError

STOPPING: Final = web.AppKey("STOPPING", asyncio.Event)
"""Set when the server begins to stop, so that hanging replies end."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Hit the next ``times`` requests whose path starts with ``path`` and whose query has ``query`` in it.

    ``status`` is for kind ``status``, as is ``retry_after_s``.
    """

    path: str
    kind: str
    times: int = 1
    query: str = ""
    status: int = 503
    retry_after_s: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in EFFECTS:
            raise InputError(f"fault kind {self.kind!r} is not one of {', '.join(EFFECTS)}")
        if not self.path.startswith("/"):
            raise InputError(f"fault path {self.path!r} does not start with /")
        if self.times < 1:
            raise InputError(f"fault times {self.times} is not above 0")
        if not 400 <= self.status <= 599:
            raise InputError(f"fault status {self.status} is not between 400 and 599")

    def hits(self, request: web.Request) -> bool:
        return request.path.startswith(self.path) and self.query in request.query_string


class FaultPlan:
    """The faults still to come, in order; the first that fits a request hits it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def extend(self, entries: object) -> None:
        """Add a JSON list of objects with `Fault`'s fields; InputError, and none is added, if one is bad."""
        if not isinstance(entries, list):
            raise InputError("faults must be a JSON list")
        self._faults += [_read_fault(entry) for entry in entries]

    def clear(self) -> None:
        self._faults.clear()

    def describe(self) -> list[dict[str, object]]:
        return [asdict(fault) for fault in self._faults]

    def take(self, request: web.Request) -> Fault | None:
        """The fault for this request, used up by one."""
        fault = next((fault for fault in self._faults if fault.hits(request)), None)
        if fault is not None:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
        return fault

    def middleware(self) -> Middleware:
        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/sandbox/") or (fault := self.take(request)) is None:
                return await handler(request)
            return await EFFECTS[fault.kind](Hit(fault, request, handler))

        return spoil


def _read_fault(entry: object) -> Fault:
    if not isinstance(entry, Mapping):
        raise InputError(f"fault {str(entry)[:80]!r} is not an object")
    fields = Fault.__dataclass_fields__
    for name, value in entry.items():
        if name not in fields:
            raise InputError(f"fault field {str(name)[:40]!r} is not one of {', '.join(fields)}")
        wanted = str if name in ("path", "kind", "query") else int
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InputError(f"fault field {name} must be of type {wanted.__name__}")
    for name in ("path", "kind"):
        if name not in entry:
            raise InputError(f"fault has no {name}")
    return Fault(**entry)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request that meets a fault; ``handler`` gives the reply it would have had."""

    fault: Fault
    request: web.Request
    handler: Handler

    async def reply(self) -> web.Response:
        """The true reply, of which an effect spoils the body."""
        response = await self.handler(self.request)
        if not isinstance(response, web.Response) or not response.body:
            raise web.HTTPInternalServerError(text="this fault needs a reply with a body")
        return response


Effect = Callable[[Hit], Awaitable[web.StreamResponse]]


async def _answer_status(hit: Hit) -> web.StreamResponse:
    wait_s = hit.fault.retry_after_s
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    return web.Response(status=hit.fault.status, text="sandbox fault", headers=headers)


async def _answer_garbage(_: Hit) -> web.StreamResponse:
    return web.Response(body=b'<html>\xff\x00 not what was asked for [1,2,"', content_type="application/json")


async def _hang(hit: Hit) -> web.StreamResponse:
    await hit.request.config_dict[STOPPING].wait()
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


def _body_of(response: web.Response) -> bytes:
    body = response.body
    if not isinstance(body, bytes):
        raise TypeError(f"the sandbox replies with bytes, not {type(body).__name__}")
    return body


EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "status": _answer_status,
        "garbage": _answer_garbage,
        "hang": _hang,
        "disconnect": _disconnect,
        "truncate": _truncate,
        "corrupt": _corrupt,
        "wrong_checksum": _wrong_checksum,
    }
)
"""What each kind does. ``corrupt`` flips one bit; ``wrong_checksum`` is for ``.CHECKSUM`` files."""

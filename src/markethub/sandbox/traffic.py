"""Counts what was asked of the sandbox."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox.settings import Clock, system_clock

_SILENCES_KEPT: Final = 100


@dataclass(slots=True)
class Silence:
    """What a client made of its last ``Retry-After``: when it was told, until when it should wait, how many
    of its requests came in meanwhile, and how long after it was told the last of them came.

    A few may come at once: they were under way.
    """

    told_ms: int
    until_ms: int
    broken: int = 0
    last_broken_after_ms: int = 0


class Traffic:
    """Requests by endpoint (the route's pattern, as ``/api/v3/klines``), replies by endpoint and status.

    A request that ends without a reply is counted as a request only. Doors below ``/sandbox`` do not count.
    ``silences`` are what clients made of each ``Retry-After``, by client address and interface (the first two
    parts of the path, as ``/api/v3``).
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self.silences: dict[tuple[str, str], deque[Silence]] = {}
        self.requests: Counter[str] = Counter()
        self.replies: Counter[tuple[str, int]] = Counter()

    def snapshot(self) -> dict[str, object]:
        """``{"requests": {endpoint: n}, "replies": {endpoint: {status: n}}, "silences": [...]}`` as JSON."""
        replies: dict[str, dict[str, int]] = {}
        for (endpoint, status), times in self.replies.items():
            replies.setdefault(endpoint, {})[str(status)] = times
        silences = [
            {"client": client, "interface": interface, **asdict(silence)}
            for (client, interface), found in self.silences.items()
            for silence in found
        ]
        return {"requests": dict(self.requests), "replies": replies, "silences": silences}

    def reset(self) -> None:
        self.requests.clear()
        self.replies.clear()
        self.silences.clear()

    def middleware(self) -> Middleware:
        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            endpoint = _endpoint(request)
            if endpoint.startswith("/sandbox"):
                return await handler(request)
            self.requests[endpoint] += 1
            self._note_request(request)
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                self.replies[endpoint, refusal.status] += 1
                self._note_reply(request, refusal)
                raise
            self.replies[endpoint, response.status] += 1
            self._note_reply(request, response)
            return response

        return count

    def _note_request(self, request: web.Request) -> None:
        now_ms = self._clock()
        for silence in self.silences.get(_interface(request), ()):
            if now_ms < silence.until_ms:
                silence.broken += 1
                silence.last_broken_after_ms = now_ms - silence.told_ms

    def _note_reply(self, request: web.Request, response: web.StreamResponse) -> None:
        seconds = response.headers.get("Retry-After", "")
        if seconds.isdecimal():
            now_ms = self._clock()
            silence = Silence(now_ms, now_ms + int(seconds) * 1000)
            self.silences.setdefault(_interface(request), deque(maxlen=_SILENCES_KEPT)).append(silence)


def _interface(request: web.Request) -> tuple[str, str]:
    return request.remote or "unknown", "/".join(request.path.split("/", 3)[:3])


def _endpoint(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(unknown path)"

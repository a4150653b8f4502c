"""Pages of other sites: none may read our answers, unless its origin is named in the settings."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = "GET, HEAD, POST, PUT, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-ID"
_ANSWER_HEADERS = "Allow, Content-Disposition, Retry-After, X-Request-ID, X-Total-Count"
_PREFLIGHT_KEPT_S = "600"


class CrossOrigin:
    """ASGI middleware that lets the pages of ``origins`` in, each spelt as browsers do: ``https://a.example``.

    Credentials of the browser are never let in: a page has to send a token of its own. A page of any other
    origin is answered as if this were not here, without the headers that would let it read the answer.
    Source: WHATWG, "Fetch", CORS protocol.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        allowed = origin if origin in self._origins else None
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in asked

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Whatever keeps answers must keep one for each origin, and one for none.
                headers.add_vary_header("Origin")
                if allowed is not None:
                    headers["Access-Control-Allow-Origin"] = allowed
                    headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
                    if is_preflight:
                        headers["Access-Control-Allow-Methods"] = _METHODS
                        headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
                        headers["Access-Control-Max-Age"] = _PREFLIGHT_KEPT_S
            await send(message)

        await self._app(scope, receive, send_shared)

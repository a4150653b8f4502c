"""What surrounds every request: an id, a measurement, a log line, and the last resort for errors."""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from markethub.api.errors import error_response
from markethub.api.metrics import RequestMetrics

_log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
IS_HEAD = "markethub.is_head"
"""In the scope of a request whose answer's body nobody will see."""

_CLIENT_CLOSED = 499  # as nginx logs it; nobody is left to see it
_READING = frozenset({"GET", "HEAD", "OPTIONS"})

# For every answer that does not say otherwise: it is no page, and not for others to keep.
# Source: OWASP, "REST Security Cheat Sheet", security headers.
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class RequestTrace:
    """ASGI middleware; answers HEAD by the GET route, whose body the server leaves out.

    The answer carries ``X-Request-ID``: the caller's own where it is short and plain, else a new one. The
    same id stands in every log line of the request.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET", IS_HEAD: True}
        request_id = _choose_id(scope)
        answer = _Answer(send, request_id)
        started_s = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._run(scope, receive, answer)
            finally:
                elapsed_s = time.perf_counter() - started_s
                route = getattr(scope.get("route"), "path_format", "unmatched")
                self._metrics.observe(method, route, answer.status, elapsed_s)
                _log.debug(
                    "request", method=method, route=route, status=answer.status, ms=round(elapsed_s * 1000, 2)
                )
                _note_refusal(scope, method, route, answer.status)

    async def _run(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            return
        except Exception as error:
            # The last resort of STYLE 3.4: whatever was not foreseen is logged, and told without details.
            _log.exception("request_crashed", method=scope["method"], path=scope["path"], error=str(error))
            if answer.status != _CLIENT_CLOSED:
                raise  # too late for an envelope: the server must break the connection
            message = f"unexpected error; the server's log has it under request {answer.request_id}"
            response = error_response(scope["path"], 500, "INTERNAL", message)
            await response(scope, receive, answer.send)


class _Answer:
    """Passes messages on, adds the headers, remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = _CLIENT_CLOSED

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in _SAFE_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _note_refusal(scope: Scope, method: str, route: str, status: int) -> None:
    """Log who was refused a write, or refused at all; what was carried out is in the audit.

    Too many requests are not told one by one: the gate says when they begin.
    """
    is_about_access = status in (401, 403)
    is_write = method not in _READING and 400 <= status < 500 and status not in (429, _CLIENT_CLOSED)
    if is_about_access or is_write:
        caller = scope.get("state", {}).get("caller")
        client = scope.get("client")
        _log.info(
            "request_refused",
            method=method[:20],
            route=route,
            status=status,
            token=None if caller is None else caller.token_name,
            address=caller.address if caller is not None else client and str(client[0])[:60],
        )


def _choose_id(scope: Scope) -> str:
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex

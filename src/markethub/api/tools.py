"""The tools for AI models: described at ``/api/v1/tools``, called over MCP at ``/mcp``."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import httpx2
import orjson
from fastapi import APIRouter, Depends, FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from markethub.api.access import admit, get_hub, needs
from markethub.api.bodies import MAX_BODY_BYTES
from markethub.api.openapi import document_errors
from markethub.domain.errors import ForbiddenError, UnauthorizedError, UnavailableError
from markethub.mcp.calls import Question, Reply, read_reply
from markethub.mcp.schemas import describe_function
from markethub.mcp.server import create_server
from markethub.mcp.tools import TOOLS
from markethub.wire.tools import ToolList

router = APIRouter(prefix="/api/v1", tags=["tools"])

_PASSED_ON = ("authorization", "host", "x-request-id", "x-forwarded-for", "forwarded")


@router.get(
    "/tools",
    summary="Describe the tools for AI models",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 503),
)
async def list_tools() -> ToolList:
    """The tools of `/mcp` as function calling takes them: name, description, JSON schema of the arguments.

    Scope `read:jobs`. Each description names the scope that a call needs.
    """
    return ToolList(data=[describe_function(tool) for tool in TOOLS.values()])


class McpDoor:
    """MCP over streamable HTTP, without sessions: every POST stands for itself and carries its token.

    Every call of a tool becomes a request to ``app`` in the caller's name, so that whatever holds for the
    API (scopes, limits, messages) holds here.
    """

    def __init__(self, app: FastAPI, answer_tokens: int, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins
        self._answer_tokens = answer_tokens
        self._sessions: StreamableHTTPSessionManager | None = None
        # There is nothing to GET or DELETE without sessions.
        self.route = Route("/mcp", self, methods=["POST"], include_in_schema=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer while the block lasts."""
        sessions = StreamableHTTPSessionManager(
            create_server(self._ask, self._answer_tokens),
            stateless=True,
            json_response=True,
            max_request_body_size=MAX_BODY_BYTES,
        )
        async with sessions.run():
            self._sessions = sessions
            try:
                yield
            finally:
                self._sessions = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.route  # as FastAPI's own routes do, for the metrics
        request = Request(scope)
        hub = await get_hub(request)
        _refuse_foreign_pages(request, self._origins)
        await admit(request, hub)
        if self._sessions is None:
            raise UnavailableError("the tools are starting or have stopped; try again")
        await self._sessions.handle_request(scope, receive, send)

    async def _ask(self, question: Question, request: Request | None) -> Reply:
        if request is None:
            raise UnauthorizedError("the call came without its HTTP request, and so without a token")
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        client = request.client or ("127.0.0.1", 0)
        transport = httpx2.ASGITransport(self._app, client=(client[0], client[1]))
        async with httpx2.AsyncClient(transport=transport, base_url="http://markethub") as api:
            response = await api.request(
                question.method,
                question.path,
                params=dict(question.query),
                json=question.body,
                headers=headers,
            )
        return read_reply(response.status_code, orjson.loads(response.content))


def _refuse_foreign_pages(request: Request, allowed: Collection[str]) -> None:
    # Source: Model Context Protocol, "Transports", security warning: Origin must be checked.
    origin = request.headers.get("origin")
    host = request.headers.get("host")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}", *allowed):
        raise ForbiddenError(f"origin {origin[:80]!r} may not call tools: it is another site's page")

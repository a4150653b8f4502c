"""The HTTP application, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import Lifespan

from markethub.api import (
    accounts,
    backfill,
    docs,
    executions,
    health,
    jobs,
    limits,
    logs,
    metrics,
    records,
    series,
    tools,
)
from markethub.api.errors import install_error_handlers
from markethub.api.metrics import RequestMetrics
from markethub.api.tools import McpDoor
from markethub.api.trace import RequestTrace
from markethub.mcp.answer_size import ANSWER_TOKENS
from markethub.services.hub import Hub

_DESCRIPTION = """\
A trading team's market data: complete, correct and fast to read.

Every request under `/api/v1` carries `Authorization: Bearer mh_<id>_<secret>`. Times are UTC: ISO 8601 in
(a time without a zone is read as UTC), a trailing `Z` out. Ranges are half-open, `start <= time < end`.
Every error is `{"error": {"code", "message"}}`; programs go by `code`.
"""


def create_api(
    hub: Hub | None = None,
    *,
    lifespan: "Lifespan[FastAPI] | None" = None,
    answer_tokens: int = ANSWER_TOKENS,
) -> FastAPI:
    """Build the application around an open hub, or around one that ``lifespan`` puts in ``app.state.hub``.

    Without a hub every route that needs one answers 503. Closing the hub is its opener's business. ``/mcp``
    needs the application's lifespan to run; an answer of its tools has at most ``answer_tokens`` tokens.
    """
    app = FastAPI(
        title="MarketHub",
        version=version("markethub"),
        description=_DESCRIPTION,
        lifespan=_with_tools(lifespan),
        # /docs is ours, without files from elsewhere; a slash too many is a wrong path, not a redirect.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.hub = hub
    app.state.mcp_door = McpDoor(app, answer_tokens)
    app.state.request_metrics = RequestMetrics()
    app.add_middleware(RequestTrace, metrics=app.state.request_metrics)
    install_error_handlers(app)
    # Executions before jobs: /jobs/executions is no job's name.
    for room in (backfill, executions, jobs, logs, series, records, accounts, limits, health, metrics, docs):
        app.include_router(room.router)
    app.include_router(tools.router)
    app.router.routes.append(app.state.mcp_door.route)
    return app


def _with_tools(lifespan: "Lifespan[FastAPI] | None") -> "Lifespan[FastAPI]":
    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            state = None if lifespan is None else await stack.enter_async_context(lifespan(app))
            await stack.enter_async_context(app.state.mcp_door.open())
            yield state

    return run

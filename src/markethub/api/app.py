"""The HTTP application, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Lifespan

from markethub.api import (
    accounts,
    audit,
    backfill,
    docs,
    execution_events,
    execution_export,
    executions,
    health,
    jobs,
    limits,
    logs,
    metrics,
    records,
    series,
    statistics,
    subscriptions,
    tools,
)
from markethub.api.access import AccessRules, Gate
from markethub.api.cors import CrossOrigin
from markethub.api.dms import ROUTERS as DMS_ROUTERS
from markethub.api.dms.gate import EpochAnswers
from markethub.api.errors import install_error_handlers
from markethub.api.metrics import RequestMetrics
from markethub.api.openapi import DocumentedAPI
from markethub.api.tools import McpDoor
from markethub.api.trace import RequestTrace
from markethub.mcp.answer_size import ANSWER_TOKENS
from markethub.services.execution_events import EventFeeds
from markethub.services.hub import Hub

_DESCRIPTION = """\
A trading team's market data: complete, correct and fast to read.

Every request under `/api/v1` carries `Authorization: Bearer mh_<id>_<secret>`. Times are UTC: ISO 8601 in
(a time without a zone is read as UTC), a trailing `Z` out. Ranges are half-open, `start <= time < end`.
Every error is `{"error": {"code", "message"}}`; programs go by `code`. No text may hold a NUL character.

Under `/api/dms` programs on the hub's own machine need no token unless `[dms] auth` says so, times have whole
seconds, and every error is `{"detail": "..."}`, 400 for wrong parameters.
"""

_TAGS = {
    "backfill": "Requests for history: queued at once, run in the background.",
    "executions": "What became of each run: progress, result, end and repetition on demand.",
    "jobs": "What runs by itself, and when; set in the configuration.",
    "logs": "What executions logged.",
    "data": "What is stored, as JSON, Arrow IPC stream, Parquet or CSV.",
    "subscriptions": "Which symbols work without symbols of its own is about.",
    "operations": "How the hub and its exchanges are doing.",
    "tools": "The same for AI models.",
    "dms": "The nodes of a group: what they keep up to date, how far they follow, and their data.",
}


def create_api(
    hub: Hub | None = None,
    *,
    lifespan: "Lifespan[FastAPI] | None" = None,
    answer_tokens: int = ANSWER_TOKENS,
    access: AccessRules | None = None,
) -> FastAPI:
    """Build the application around an open hub, or around one that ``lifespan`` puts in ``app.state.hub``.

    Without a hub every route that needs one answers 503. Closing the hub is its opener's business. ``/mcp``
    needs the application's lifespan to run; an answer of its tools has at most ``answer_tokens`` tokens.
    ``access`` says who may ask how much, and from which sites.
    """
    app = DocumentedAPI(
        title="MarketHub",
        version=version("markethub"),
        description=_DESCRIPTION,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        openapi_tags=[{"name": name, "description": words} for name, words in _TAGS.items()],
        generate_unique_id_function=_name_operation,
        lifespan=_with_tools(lifespan),
        # Both pages are ours, without files from elsewhere; a slash too many is a wrong path, not a redirect.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    rules = access or AccessRules()
    app.state.hub = hub
    app.state.gate = Gate(rules)
    app.state.mcp_door = McpDoor(app, answer_tokens, rules.cors_origins)
    app.state.request_metrics = RequestMetrics()
    app.state.event_feeds = EventFeeds()
    app.state.doc_pages = docs.DocPages(app)
    app.add_middleware(EpochAnswers)
    app.add_middleware(RequestTrace, metrics=app.state.request_metrics)
    if rules.cors_origins:
        # Around everything else: a page shall be able to read every answer, the unforeseen error too.
        app.add_middleware(CrossOrigin, origins=rules.cors_origins)
    install_error_handlers(app)
    # Executions before jobs: /jobs/executions is no job's name. So is export no execution's.
    for room in (execution_export, executions, jobs):
        app.include_router(room.router)
    for room in (backfill, logs, series, records, accounts, limits, health, metrics, docs):
        app.include_router(room.router)
    for room in (execution_events, statistics, subscriptions, audit, tools):
        app.include_router(room.router)
    for router in DMS_ROUTERS:
        app.include_router(router)
    app.router.routes.append(app.state.mcp_door.route)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name


def _with_tools(lifespan: "Lifespan[FastAPI] | None") -> "Lifespan[FastAPI]":
    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            state = None if lifespan is None else await stack.enter_async_context(lifespan(app))
            await stack.enter_async_context(app.state.mcp_door.open())
            yield state

    return run

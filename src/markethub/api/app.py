"""The HTTP application, put together."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import Lifespan

from markethub.api import accounts, backfill, docs, executions, health, limits, logs, metrics, records, series
from markethub.api.errors import install_error_handlers
from markethub.api.metrics import RequestMetrics
from markethub.api.trace import RequestTrace
from markethub.services.hub import Hub

_DESCRIPTION = """\
A trading team's market data: complete, correct and fast to read.

Every request under `/api/v1` carries `Authorization: Bearer mh_<id>_<secret>`. Times are UTC: ISO 8601 in
(a time without a zone is read as UTC), a trailing `Z` out. Ranges are half-open, `start <= time < end`.
Every error is `{"error": {"code", "message"}}`; programs go by `code`.
"""


def create_api(hub: Hub | None = None, *, lifespan: "Lifespan[FastAPI] | None" = None) -> FastAPI:
    """Build the application around an open hub, or around one that ``lifespan`` puts in ``app.state.hub``.

    Without a hub every route that needs one answers 503. Closing the hub is its opener's business.
    """
    app = FastAPI(
        title="MarketHub",
        version=version("markethub"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        # /docs is ours, without files from elsewhere; a slash too many is a wrong path, not a redirect.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.hub = hub
    app.state.request_metrics = RequestMetrics()
    app.add_middleware(RequestTrace, metrics=app.state.request_metrics)
    install_error_handlers(app)
    for room in (backfill, executions, logs, series, records, accounts, limits, health, metrics, docs):
        app.include_router(room.router)
    return app

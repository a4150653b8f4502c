"""Requests for history."""

from typing import Annotated

from fastapi import APIRouter, Depends

from markethub.api.access import OpenHub, needs
from markethub.api.bodies import document_body, json_body
from markethub.api.openapi import document_errors
from markethub.services.backfill import queue_kline_backfill
from markethub.wire.backfill import KlineBackfillRequest, QueuedResponse

router = APIRouter(prefix="/api/v1/backfill", tags=["backfill"])


@router.post(
    "/klines",
    summary="Backfill klines",
    dependencies=[Depends(needs("write:backfill"))],
    responses=document_errors(401, 403, 413, 422, 503),
    openapi_extra=document_body(KlineBackfillRequest),
)
async def backfill_klines(
    hub: OpenHub, wanted: Annotated[KlineBackfillRequest, Depends(json_body(KlineBackfillRequest))]
) -> QueuedResponse:
    """Queue the download of bars and answer at once. Scope `write:backfill`.

    `symbols` wins over `exchanges`; with neither, every subscribed symbol is meant. Bars that are stored
    already are not fetched again.
    """
    queued = await queue_kline_backfill(
        hub,
        exchanges=wanted.exchanges,
        symbols=wanted.symbols,
        intervals=wanted.intervals,
        start_ms=wanted.start_time,
        end_ms=wanted.end_time,
    )
    return QueuedResponse(
        execution_id=queued.execution_id,
        trace_id=queued.trace_id,
        status=queued.status,
        message=queued.message,
    )

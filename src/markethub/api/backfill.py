"""Requests for history."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends

from markethub.api.access import OpenHub
from markethub.api.bodies import document_body, json_body
from markethub.api.openapi import document_errors, document_links
from markethub.api.plans import show_planned
from markethub.api.request_keys import NameRequest, Naming, may_backfill
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.support import DataKind
from markethub.services import backfill
from markethub.services.backfill import Extras, Queued
from markethub.services.hub import Hub
from markethub.services.request_keys import queue_once
from markethub.wire.backfill import (
    BalanceBackfillRequest,
    KlineBackfillRequest,
    LedgerBackfillRequest,
    OrderbookBackfillRequest,
    QueuedResponse,
    SymbolBackfillRequest,
    TickerBackfillRequest,
    TransferBackfillRequest,
)
from markethub.wire.plans import PlannedResponse

BackfillAnswer = QueuedResponse | PlannedResponse

_Request = (
    KlineBackfillRequest
    | SymbolBackfillRequest
    | TickerBackfillRequest
    | BalanceBackfillRequest
    | TransferBackfillRequest
)

QUEUED_LINKS = document_links(
    get_execution__execution_id="execution_id",
    follow_execution__execution_id="execution_id",
    cancel_execution__execution_id="execution_id",
    retry_execution__execution_id="execution_id",
    list_logs__job_id="trace_id",
)
"""What can be done next with work that is queued."""

_ANSWERED = "The execution is committed; `trace_id` finds its logs and its state. Of a dry run: the plan."

router = APIRouter(
    prefix="/api/v1/backfill",
    tags=["backfill"],
    dependencies=[Depends(may_backfill)],
    responses={
        200: {**QUEUED_LINKS, "description": _ANSWERED},
        **document_errors(401, 403, 409, 413, 422, 503),
    },
)


@router.post("/klines", summary="Backfill klines", openapi_extra=document_body(KlineBackfillRequest))
async def backfill_klines(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[KlineBackfillRequest, Depends(json_body(KlineBackfillRequest))],
) -> BackfillAnswer:
    """Queue the download of bars and answer at once. Scope `write:backfill`.

    `symbols` wins over `exchanges`; with neither, every subscribed symbol is meant. Bars that are stored
    already are not fetched again.
    """
    return await _queue(
        hub,
        name,
        wanted,
        partial(
            backfill.queue_kline_backfill,
            hub,
            exchanges=wanted.exchanges,
            symbols=wanted.symbols,
            intervals=wanted.intervals,
            start_ms=wanted.start_time,
            end_ms=wanted.end_time,
        ),
    )


@router.post("/symbols", summary="Update listings", openapi_extra=document_body(SymbolBackfillRequest))
async def backfill_symbols(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[SymbolBackfillRequest, Depends(json_body(SymbolBackfillRequest))],
) -> BackfillAnswer:
    """Queue an update of what exchanges list and answer at once. Scope `write:backfill`.

    What changed since begins a new version; what is gone stays readable with the dates it was seen.
    """
    return await _queue(
        hub, name, wanted, partial(backfill.queue_symbol_backfill, hub, exchanges=wanted.exchanges)
    )


@router.post("/balances", summary="Take balances", openapi_extra=document_body(BalanceBackfillRequest))
async def backfill_balances(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[BalanceBackfillRequest, Depends(json_body(BalanceBackfillRequest))],
) -> BackfillAnswer:
    """Queue a snapshot of accounts' balances and answer at once. Scope `write:backfill`.

    All wallets of an account under one time. Accounts must be configured.
    """
    return await _queue(
        hub,
        name,
        wanted,
        partial(backfill.queue_balance_backfill, hub, exchanges=wanted.exchanges, accounts=wanted.accounts),
    )


@router.post("/orders", summary="Backfill orders", openapi_extra=document_body(LedgerBackfillRequest))
async def backfill_orders(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[LedgerBackfillRequest, Depends(json_body(LedgerBackfillRequest))],
) -> BackfillAnswer:
    """Queue the download of accounts' orders and answer at once. Scope `write:backfill`.

    Exchanges alone mean all their configured accounts. Without a start it is as far back as the exchange
    tells; what is known to be complete is not asked again.
    """
    return await _queue_ledger(hub, name, DataKind.ORDER, wanted, wanted.symbols)


@router.post("/fills", summary="Backfill fills", openapi_extra=document_body(LedgerBackfillRequest))
async def backfill_fills(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[LedgerBackfillRequest, Depends(json_body(LedgerBackfillRequest))],
) -> BackfillAnswer:
    """Queue the download of accounts' fills and answer at once. Scope `write:backfill`.

    Exchanges alone mean all their configured accounts. Without a start it is as far back as the exchange
    tells; what is known to be complete is not asked again.
    """
    return await _queue_ledger(hub, name, DataKind.FILL, wanted, wanted.symbols)


@router.post("/transfers", summary="Backfill transfers", openapi_extra=document_body(TransferBackfillRequest))
async def backfill_transfers(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[TransferBackfillRequest, Depends(json_body(TransferBackfillRequest))],
) -> BackfillAnswer:
    """Queue the download of accounts' deposits, withdrawals and internal moves and answer at once.

    Scope `write:backfill`. Accounts and range are chosen as for orders.
    """
    return await _queue_ledger(hub, name, DataKind.TRANSFER, wanted, None)


@router.post("/orderbook", summary="Take order books", openapi_extra=document_body(OrderbookBackfillRequest))
async def backfill_orderbook(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[OrderbookBackfillRequest, Depends(json_body(OrderbookBackfillRequest))],
) -> BackfillAnswer:
    """Queue a snapshot of order books and answer at once. Scope `write:backfill`.

    `symbols` wins over `exchanges`; with neither, every subscribed symbol is meant.
    """
    return await _queue(
        hub,
        name,
        wanted,
        partial(
            backfill.queue_orderbook_backfill,
            hub,
            exchanges=wanted.exchanges,
            symbols=wanted.symbols,
            limit=wanted.limit,
        ),
    )


@router.post("/ticker", summary="Take tickers", openapi_extra=document_body(TickerBackfillRequest))
async def backfill_ticker(
    hub: OpenHub,
    name: Naming,
    wanted: Annotated[TickerBackfillRequest, Depends(json_body(TickerBackfillRequest))],
) -> BackfillAnswer:
    """Queue a snapshot of tickers and answer at once. Scope `write:backfill`.

    `symbols` wins over `exchanges`; with neither, every subscribed symbol is meant.
    """
    return await _queue(
        hub,
        name,
        wanted,
        partial(backfill.queue_ticker_backfill, hub, exchanges=wanted.exchanges, symbols=wanted.symbols),
    )


async def _queue_ledger(
    hub: Hub,
    name: NameRequest,
    kind: DataKind,
    wanted: LedgerBackfillRequest | TransferBackfillRequest,
    symbols: Sequence[str] | None,
) -> BackfillAnswer:
    queue = partial(
        backfill.queue_ledger_backfill,
        hub,
        kind,
        exchanges=wanted.exchanges,
        accounts=wanted.accounts,
        symbols=symbols,
        start_ms=wanted.start_time,
        end_ms=wanted.end_time,
    )
    return await _queue(hub, name, wanted, queue)


async def _queue(
    hub: Hub, name: NameRequest, wanted: _Request, queue: Callable[..., Awaitable[Queued]]
) -> BackfillAnswer:
    request_key = name(wanted)
    extras = Extras(BackfillMode(wanted.mode), wanted.priority, wanted.dry_run)
    queue = partial(queue, extras=extras)
    # A dry run uses no key up.
    queued = await (queue(request_key=None) if wanted.dry_run else queue_once(hub, request_key, queue))
    return show_queued(queued) if queued.plan is None else show_planned(queued, queued.plan)


def show_queued(queued: Queued) -> QueuedResponse:
    """The answer to whoever has queued work."""
    return QueuedResponse(
        execution_id=queued.execution_id,
        trace_id=queued.trace_id,
        status=queued.status,
        message=queued.message,
    )

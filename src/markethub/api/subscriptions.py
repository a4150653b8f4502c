"""The subscribed instruments: what work without symbols of its own is about."""

from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub, needs
from markethub.api.bodies import document_body, json_body
from markethub.api.openapi import document_errors
from markethub.api.table_answers import answer_page, describe_formats
from markethub.api.table_formats import choose_format
from markethub.services import subscriptions
from markethub.services.subscriptions import ExchangeState
from markethub.services.subscriptions import Subscription as SubscriptionRow
from markethub.tables.records import TIME
from markethub.wire.names import ExchangeCode
from markethub.wire.pagination import Pagination
from markethub.wire.subscriptions import (
    ExchangeSubscriptions,
    Subscription,
    SubscriptionList,
    SubscriptionQuery,
    SubscriptionRequest,
    SubscriptionUpdate,
)

router = APIRouter(prefix="/api/v1", tags=["subscriptions"])

_Exchange = Annotated[ExchangeCode, Path(description="an exchange's code such as `BNC`")]


@router.get(
    "/subscriptions",
    summary="List subscribed symbols",
    dependencies=[Depends(needs("read:data"))],
    response_model=SubscriptionList,
    responses={
        200: {"description": "The subscribed symbols.", "content": describe_formats()},
        **document_errors(401, 403, 422, 503),
    },
)
async def list_subscriptions(
    request: Request, hub: OpenHub, query: Annotated[SubscriptionQuery, Query()]
) -> SubscriptionList | StreamingResponse:
    """The symbols that work without symbols of its own is about, and how they were chosen. Scope `read:data`.

    `search` is part of a symbol's name. `exchanges` tells the rule of each exchange that has one. As JSON,
    Arrow IPC stream, Parquet or CSV, these without the rules; `format` wins over the `Accept` header.
    """
    format_name = query.format or choose_format(request.headers.get("accept"))
    found = await subscriptions.list_subscriptions(
        hub,
        exchange=query.exchange,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
        order_by=query.order_by,
        order_desc=query.order_desc,
    )
    page = found.page
    if format_name != "json":
        return answer_page(_to_table(page.rows), format_name, "subscriptions", total=page.total, envelope={})
    return SubscriptionList(
        data=[
            Subscription(exchange=row.symbol.venue, symbol=str(row.symbol), created_at=row.created_ms)
            for row in page.rows
        ],
        pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
        exchanges=[ExchangeSubscriptions(**_state(state)) for state in found.exchanges],
    )


@router.put(
    "/subscriptions/{exchange}",
    summary="Set an exchange's subscriptions",
    dependencies=[Depends(needs("write:backfill"))],
    responses=document_errors(401, 403, 409, 413, 422, 503),
    openapi_extra=document_body(SubscriptionRequest),
)
async def set_subscriptions(
    hub: OpenHub,
    exchange: _Exchange,
    wanted: Annotated[SubscriptionRequest, Depends(json_body(SubscriptionRequest))],
) -> SubscriptionUpdate:
    """Replace what is subscribed on one exchange: by names, or by a rule. Scope `write:backfill`.

    Names are checked against the stored listing of the exchange, if there is one. A rule asks the exchange
    at once, for 20 seconds at most; where it does not answer, nothing is changed (`UNAVAILABLE`). Either
    holds until the next request, or until the configuration says something new of the exchange.
    """
    if wanted.rule is not None:
        update = await subscriptions.set_rule(hub, exchange, wanted.rule)
    else:
        update = await subscriptions.set_symbols(hub, exchange, wanted.symbols or [])
    return SubscriptionUpdate(
        **_state(update.state),
        symbols=[str(symbol) for symbol in update.changes.symbols],
        added=[str(symbol) for symbol in update.changes.added],
        removed=[str(symbol) for symbol in update.changes.removed],
    )


def _to_table(rows: Sequence[SubscriptionRow]) -> pa.Table:
    return pa.table(
        {
            "exchange": pa.array([row.symbol.venue for row in rows], pa.string()),
            "symbol": pa.array([str(row.symbol) for row in rows], pa.string()),
            "created_at": pa.array([row.created_ms for row in rows], TIME),
        }
    )


def _state(state: ExchangeState) -> dict[str, Any]:
    choice = state.choice
    return {
        "exchange": choice.exchange,
        "kind": "explicit" if choice.rule is None else "rule",
        "rule": None if choice.rule is None else choice.rule.to_json(),
        "source": choice.source.value,
        "count": state.count,
        "updated_at": choice.updated_ms,
        "resolved_at": choice.resolved_ms,
    }

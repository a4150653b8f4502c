"""What is stored besides bars: one route for each table, all built alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.api.record_models import describe_page
from markethub.api.table_answers import answer_page, describe_formats
from markethub.api.table_formats import choose_format
from markethub.services.records import RecordRequest, read_records
from markethub.tables.catalog import RECORD_TABLES
from markethub.wire.pagination import Pagination
from markethub.wire.records import (
    BalanceQuery,
    FillQuery,
    OrderQuery,
    RecordQuery,
    RejectQuery,
    SnapshotQuery,
    SymbolQuery,
    TransferQuery,
)

JSON_ROWS = 100
"""Rows of a JSON page when nobody says how many."""

_WINDOW = frozenset(RecordQuery.model_fields)
_OWN = frozenset({"exchange", "current", "latest"})  # not columns, but questions of their own


@dataclass(frozen=True, slots=True)
class _Door:
    table: str
    row_name: str
    query: type[RecordQuery]
    words: str


_DOORS = (
    _Door("symbols", "Instrument", SymbolQuery, "What exchanges list, and listed when."),
    _Door("tickers", "Ticker", SnapshotQuery, "Snapshots of tickers."),
    _Door("orderbooks", "Orderbook", SnapshotQuery, "Snapshots of order books, best levels first."),
    _Door("balances", "Balance", BalanceQuery, "What accounts held, by wallet and asset."),
    _Door("orders", "Order", OrderQuery, "Orders as they stood when they were last fetched."),
    _Door("fills", "Fill", FillQuery, "Own trades."),
    _Door("transfers", "Transfer", TransferQuery, "Deposits, withdrawals and internal moves."),
    _Door("rejects", "Reject", RejectQuery, "Rows that were kept out of the data, and why."),
)


def _build_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["data"], dependencies=[Depends(needs("read:data"))])
    for door in _DOORS:
        router.add_api_route(
            f"/{door.table}",
            _build_endpoint(door),
            methods=["GET"],
            name=f"read_{door.table}",
            summary=f"Read {door.table}",
            description=(
                f"{door.words} Scope `read:data`.\n\nAscending by time unless `order_desc`; as JSON with its "
                "place in the whole list, Arrow IPC stream, Parquet or CSV. `format` wins over the `Accept` "
                "header. Amounts of ledgers and steps of instruments are exact decimals: strings in JSON."
            ),
            response_class=StreamingResponse,
            responses=_document_answers(door),
        )
    return router


def _document_answers(door: _Door) -> dict[int | str, dict[str, Any]]:
    page = {
        "model": describe_page(RECORD_TABLES[door.table], door.row_name),
        "description": f"The rows of {door.table}.",
        "content": describe_formats(),
    }
    return {200: page, **document_errors(401, 403, 422, 503)}


def _build_endpoint(door: _Door) -> Callable[..., Awaitable[StreamingResponse]]:
    async def read_table(request: Request, hub: OpenHub, query: RecordQuery) -> StreamingResponse:
        format_name = query.format or choose_format(request.headers.get("accept"))
        limit = JSON_ROWS if query.limit is None and format_name == "json" else query.limit
        filters = set(type(query).model_fields) - _WINDOW - _OWN
        page = await read_records(
            hub,
            RecordRequest(
                table=door.table,
                where={name: values for name in filters if (values := getattr(query, name)) is not None},
                exchange=getattr(query, "exchange", None),
                start_ms=query.start,
                end_ms=query.end,
                newest_only=getattr(query, "current", False) or getattr(query, "latest", False),
                newest_first=query.order_desc,
                offset=query.offset,
                limit=limit,
            ),
        )
        pagination = Pagination.of(total=page.total, limit=page.limit, offset=page.offset)
        envelope = {"pagination": pagination.model_dump()}
        return answer_page(page.rows, format_name, door.table, total=page.total, envelope=envelope)

    # FastAPI reads which parameters there are from here, and each table has its own.
    read_table.__annotations__["query"] = Annotated[door.query, Query()]
    return read_table


router = _build_router()

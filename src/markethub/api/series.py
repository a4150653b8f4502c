"""What is stored: series, their bars, their holes."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors, document_links
from markethub.api.table_formats import MEDIA_TYPES, choose_format
from markethub.api.table_streams import stream_table
from markethub.services import klines
from markethub.wire.series import Hole, HoleList, KlineList, KlineQuery, Series, SeriesList, SpanQuery

router = APIRouter(prefix="/api/v1", tags=["data"], dependencies=[Depends(needs("read:data"))])

_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/klines",
    summary="Read klines",
    response_class=StreamingResponse,
    responses={
        200: {
            "model": KlineList,
            "description": "The bars, ascending by open time.",
            "content": {
                MEDIA_TYPES["arrow"]: _BINARY,
                MEDIA_TYPES["parquet"]: _BINARY,
                MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
            },
        },
        **document_errors(401, 403, 422, 503),
    },
)
async def read_klines(
    request: Request, hub: OpenHub, query: Annotated[KlineQuery, Query()]
) -> StreamingResponse:
    """Bars with `start <= open_time < end`, as JSON, Arrow IPC stream, Parquet or CSV. Scope `read:data`.

    `format` wins over the `Accept` header. With `limit` and `start` it is the first bars from there, with
    `limit` alone the newest ones.
    """
    format_name = query.format or choose_format(request.headers.get("accept"))
    bars = await klines.read_klines(
        hub,
        symbol=query.symbol,
        interval=query.interval,
        start_ms=query.start,
        end_ms=query.end,
        limit=query.limit,
    )
    headers = {"Vary": "Accept"}
    if format_name in ("parquet", "csv"):
        file_name = quote(f"{query.symbol}_{query.interval}.{format_name}")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{file_name}"
    envelope = {"symbol": query.symbol, "interval": query.interval}
    return StreamingResponse(
        stream_table(bars, format_name, envelope), media_type=MEDIA_TYPES[format_name], headers=headers
    )


@router.get(
    "/klines/holes",
    summary="Find missing bars",
    responses=document_errors(401, 403, 422, 503),
)
async def find_holes(hub: OpenHub, query: Annotated[SpanQuery, Query()]) -> HoleList:
    """The runs of bars that are not stored, each with the reason. Scope `read:data`.

    `not_fetched`: nobody asked the venue yet, or asking failed. `rejected`: its bar made no sense and was
    kept out; see `/api/v1/rejects`. `venue_gap`: the venue has no such bars.
    `before_first_bar`: the venue's data begins later.
    """
    holes = await klines.find_holes(
        hub, symbol=query.symbol, interval=query.interval, start_ms=query.start, end_ms=query.end
    )
    return HoleList(
        symbol=query.symbol,
        interval=query.interval,
        data=[
            Hole(start=hole.span.start_ms, end=hole.span.end_ms, bars=hole.bars, reason=hole.reason)
            for hole in holes
        ],
    )


@router.get(
    "/series",
    summary="List stored series",
    responses={
        200: document_links(
            read_klines__symbol="data/0/symbol",
            read_klines__interval="data/0/interval",
            find_holes__symbol="data/0/symbol",
            find_holes__interval="data/0/interval",
        ),
        **document_errors(401, 403, 503),
    },
)
async def list_series(hub: OpenHub) -> SeriesList:
    """Every stored series with its size and its first and last bar. Scope `read:data`."""
    summaries = await klines.list_series(hub)
    return SeriesList(
        data=[
            Series(
                symbol=str(summary.series.symbol),
                interval=str(summary.series.interval),
                rows=summary.rows,
                first_open_time=summary.first_ms,
                last_open_time=summary.last_ms,
                revision=summary.revision,
            )
            for summary in summaries
        ]
    )

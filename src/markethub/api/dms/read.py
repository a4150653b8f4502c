"""Bars of one symbol or of thousands, from the store of this very node."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub
from markethub.api.bodies import document_body, json_body
from markethub.api.dms.bar_streams import stream_bars
from markethub.api.dms.gate import needs_dms
from markethub.api.openapi import document_dms_errors
from markethub.api.stepped_answers import SteppedAnswer
from markethub.api.table_answers import describe_formats
from markethub.api.table_formats import MEDIA_TYPES, choose_format
from markethub.services.dms_reads import BarReading, read_bars
from markethub.wire.dms_reads import BatchRead, BatchReadQuery, SymbolBars, SymbolRead, SymbolReadQuery
from markethub.wire.names import InstrumentName
from markethub.wire.series import TableFormat

router = APIRouter(prefix="/api/dms", tags=["dms"], dependencies=[Depends(needs_dms("read:dms"))])


def _describe(model: object, description: str) -> dict[str, Any]:
    return {"model": model, "description": description, "content": describe_formats()}


@router.post(
    "/read/batch",
    summary="Read bars of many symbols",
    response_class=StreamingResponse,
    responses={
        200: _describe(dict[str, SymbolBars], "The bars of each symbol, in the order asked for."),
        **document_dms_errors(400, 403, 413),
    },
    openapi_extra=document_body(BatchRead),
)
async def read_batch(
    request: Request,
    hub: OpenHub,
    body: Annotated[BatchRead, Depends(json_body(BatchRead))],
    query: Annotated[BatchReadQuery, Query()],
) -> SteppedAnswer:
    """Bars with `start_date <= time < end_date`, as JSON, Arrow IPC stream, Parquet or CSV. Scope `read:dms`.

    In JSON every symbol asked for is there, with empty lists where nothing is stored; the other formats are
    one table of `symbol`, `time` (UTC), `Open`, `High`, `Low`, `Close` and `Volume`. `format` wins over the
    `Accept` header. A read larger than `dms.max_read_symbols` or `dms.max_read_rows` is refused before it
    begins.
    """
    format_name = query.format or choose_format(request.headers.get("accept"))
    reading = await read_bars(
        hub, body.symbols, interval=body.interval, start_ms=body.start_date, end_ms=body.end_date
    )
    return await _answer(reading, format_name, f"bars_{body.interval}", is_single=False)


@router.get(
    "/read/{symbol}",
    summary="Read bars of one symbol",
    response_class=StreamingResponse,
    responses={200: _describe(SymbolRead, "The bars, ascending."), **document_dms_errors(400, 403)},
)
async def read_symbol(
    request: Request,
    hub: OpenHub,
    symbol: Annotated[InstrumentName, Path(description="a name such as `US.AAPL` or `BTC_USDT.BNC`")],
    query: Annotated[SymbolReadQuery, Query()],
) -> SteppedAnswer:
    """As `POST /api/dms/read/batch`, of one symbol. Scope `read:dms`.

    Where nothing is stored, both lists are empty.
    """
    format_name = query.format or choose_format(request.headers.get("accept"))
    reading = await read_bars(
        hub, [symbol], interval=query.interval, start_ms=query.start_date, end_ms=query.end_date
    )
    return await _answer(reading, format_name, f"{symbol}_{query.interval}", is_single=True)


async def _answer(
    reading: BarReading, format_name: TableFormat, name: str, *, is_single: bool
) -> SteppedAnswer:
    headers = {"Vary": "Accept"}
    if format_name in ("parquet", "csv"):
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}.{format_name}"
    parts = stream_bars(reading, format_name, is_single=is_single)
    return await SteppedAnswer.begin(parts, MEDIA_TYPES[format_name], headers)

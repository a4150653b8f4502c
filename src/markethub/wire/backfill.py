"""Requests for history, and the answer to all of them. Source: backfill_api, "Kline backfill"."""

from typing import Annotated

from pydantic import Field

from markethub.domain.interval import Interval
from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.times import OptionalRequestTime, RequestTime

# Far above what a venue lists, far below what would make planning slow.
_MOST_SYMBOLS = 10_000

_INTERVAL_ITEMS = {"type": "string", "enum": [str(interval) for interval in Interval]}


class KlineBackfillRequest(RequestModel):
    """Which bars to fetch: ``symbols`` wins over ``exchanges``; with neither, every subscribed symbol.

    The range is half-open; without an end it reaches to now.
    """

    exchanges: Annotated[
        list[Text] | None,
        Field(max_length=100, description="codes such as `BNC`", examples=[["BNC", "OKX"]]),
    ] = None
    symbols: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST_SYMBOLS,
            description="names such as `BTC_USDT.BNC`",
            examples=[["BTC_USDT.BNC", "ETH_USDT.OKX"]],
        ),
    ] = None
    intervals: Annotated[
        list[Text],
        Field(max_length=100, description="bar widths", json_schema_extra={"items": _INTERVAL_ITEMS}),
    ]
    start_time: Annotated[RequestTime, Field(description="the first open time")]
    end_time: Annotated[
        OptionalRequestTime, Field(description="open times before this; now when left out")
    ] = None


class QueuedResponse(AnswerModel):
    """A backfill was accepted and its execution is committed; ``trace_id`` finds its logs and its state."""

    execution_id: int
    trace_id: str
    status: str
    message: str

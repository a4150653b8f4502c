"""Stored series, their bars and their holes."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel
from markethub.wire.names import InstrumentName, IntervalName
from markethub.wire.times import LATER, AnswerTime, OptionalRequestTime

TableFormat = Literal["json", "arrow", "parquet", "csv"]

Format = Annotated[
    TableFormat | None,
    Field(description="how to write the rows; the `Accept` header decides when left out", examples=["arrow"]),
]

RowLimit = Annotated[
    int | None,
    Field(
        ge=1,
        le=2**53,
        description="with start: the first rows; without: the newest rows before end",
        examples=[500],
    ),
]


class SpanQuery(RequestModel):
    """One series, and the half-open range of open times asked for."""

    symbol: Annotated[InstrumentName, Field(description="a name such as `BTC_USDT.BNC`")]
    interval: Annotated[IntervalName, Field(description="the bars' width")]
    start: Annotated[OptionalRequestTime, Field(description="the first open time")] = None
    end: Annotated[OptionalRequestTime, Field(description="open times before this", examples=[LATER])] = None


class KlineQuery(SpanQuery):
    """Which bars to read, and how to write them; without ``format`` the Accept header decides."""

    limit: RowLimit = None
    format: Format = None


class Series(AnswerModel):
    """One stored series; the times are the open times of its first and last bar."""

    symbol: str
    interval: str
    rows: int
    first_open_time: AnswerTime | None
    last_open_time: AnswerTime | None
    revision: int


class SeriesList(AnswerModel):
    """Every stored series, ascending by symbol and interval."""

    data: list[Series]


class Hole(AnswerModel):
    """A run of ``bars`` bars that are not stored, ``[start, end)``, and why."""

    start: AnswerTime
    end: AnswerTime
    bars: int
    reason: str


class HoleList(AnswerModel):
    """The holes of a series, ascending."""

    symbol: str
    interval: str
    data: list[Hole]


class Kline(AnswerModel):
    """One closed bar; the last four are null where a venue does not tell."""

    open_time: AnswerTime
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None
    trades: int | None
    taker_volume: float | None
    taker_quote_volume: float | None


class KlineList(AnswerModel):
    """Bars of one series, ascending by open time."""

    symbol: str
    interval: str
    data: list[Kline]

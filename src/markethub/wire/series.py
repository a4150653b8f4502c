"""Stored series, their bars and their holes."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.times import AnswerTime, OptionalRequestTime

TableFormat = Literal["json", "arrow", "parquet", "csv"]

RowLimit = Annotated[
    int, Field(ge=1, le=2**53, description="with start: the first rows; without: the newest rows before end")
]


class SpanQuery(RequestModel):
    """One series, and the half-open range of open times asked for."""

    symbol: Text
    interval: Text
    start: OptionalRequestTime = None
    end: OptionalRequestTime = None


class KlineQuery(SpanQuery):
    """Which bars to read, and how to write them; without ``format`` the Accept header decides."""

    limit: RowLimit | None = None
    format: TableFormat | None = None


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

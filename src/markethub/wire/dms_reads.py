"""Reads of many symbols at once. Source: dms_api."""

from typing import Annotated

from pydantic import ConfigDict, Field

from markethub.wire.model import AnswerModel, RequestModel
from markethub.wire.names import InstrumentName, IntervalName
from markethub.wire.series import Format
from markethub.wire.times import LATER, OptionalRequestTime

StartDate = Annotated[
    OptionalRequestTime, Field(description="the first open time; the first stored bar when left out")
]
EndDate = Annotated[
    OptionalRequestTime,
    Field(description="open times before this; now when left out or in the future", examples=[LATER]),
]
Width = Annotated[IntervalName, Field(description="the bars' width")]
NaiveTime = Annotated[
    str,
    Field(
        description="open time in UTC without a zone, in seconds; of a stock's daily bar the session's date",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00$",
        examples=["2024-01-01T00:00:00"],
    ),
]


class BatchRead(RequestModel):
    """Which bars of which symbols; a symbol named twice is answered once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbols": ["US.AAPL", "US.TSLA", "US.GOOGL"],
                    "start_date": "2024-01-01T00:00:00",
                    "end_date": "2024-01-23T00:00:00",
                    "interval": "1d",
                }
            ]
        }
    )

    symbols: Annotated[
        list[InstrumentName],
        Field(min_length=1, description="names of any kind", examples=[["US.AAPL", "BTC_USDT.BNC"]]),
    ]
    start_date: StartDate = None
    end_date: EndDate = None
    interval: Width = "1d"


class SymbolReadQuery(RequestModel):
    """Which bars of one symbol, and how to write them."""

    start_date: StartDate = None
    end_date: EndDate = None
    interval: Width = "1d"
    format: Format = None


class BatchReadQuery(RequestModel):
    """How to write the bars."""

    format: Format = None


class ReadBar(AnswerModel):
    """One closed bar."""

    time: NaiveTime
    Open: float
    High: float
    Low: float
    Close: float
    Volume: Annotated[
        float, Field(description="written without a point where it is whole", examples=[1000000, 12.5])
    ]


class SymbolBars(AnswerModel):
    """Bars ascending by time, and their times once more; both empty where nothing is stored."""

    data: list[ReadBar]
    index: list[NaiveTime]


class SymbolRead(AnswerModel):
    """The bars of one symbol, as in a batch."""

    symbol: str
    data: list[ReadBar]
    index: list[NaiveTime]

"""Requests for history, and the answer to all of them. Source: backfill_api, one section per request."""

from typing import Annotated

from pydantic import Field

from markethub.domain.interval import Interval
from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.times import OptionalRequestTime, RequestTime

# Far above what a venue lists, far below what would make planning slow.
_MOST_SYMBOLS = 10_000

_MOST_ACCOUNTS = 1_000

Exchanges = Annotated[
    list[Text], Field(max_length=100, description="codes such as `BNC`", examples=[["BNC", "OKX"]])
]
Symbols = Annotated[
    list[Text],
    Field(
        max_length=_MOST_SYMBOLS,
        description="names such as `BTC_USDT.BNC`",
        examples=[["BTC_USDT.BNC", "ETH_USDT.OKX"]],
    ),
]
RootSymbols = Annotated[
    list[Text],
    Field(
        max_length=_MOST_SYMBOLS,
        description="root symbols such as `BTC_USDT`; all when left out",
        examples=[["BTC_USDT", "ETH_USDT"]],
    ),
]
Accounts = Annotated[
    list[Text],
    Field(
        max_length=_MOST_ACCOUNTS,
        description="configured accounts, such as `OKX_MM01`",
        examples=[["BNC_MM01", "OKX_MM01"]],
    ),
]
Start = Annotated[
    OptionalRequestTime, Field(description="the first time; as far back as the exchange tells when left out")
]
End = Annotated[OptionalRequestTime, Field(description="times before this; now when left out")]

_INTERVAL_ITEMS = {"type": "string", "enum": [str(interval) for interval in Interval]}


class KlineBackfillRequest(RequestModel):
    """Which bars to fetch: ``symbols`` wins over ``exchanges``; with neither, every subscribed symbol.

    The range is half-open; without an end it reaches to now.
    """

    exchanges: Exchanges | None = None
    symbols: Symbols | None = None
    intervals: Annotated[
        list[Text],
        Field(max_length=100, description="bar widths", json_schema_extra={"items": _INTERVAL_ITEMS}),
    ]
    start_time: Annotated[RequestTime, Field(description="the first open time")]
    end_time: Annotated[
        OptionalRequestTime, Field(description="open times before this; now when left out")
    ] = None


class SymbolBackfillRequest(RequestModel):
    """Whose listing to update."""

    exchanges: Exchanges


class TickerBackfillRequest(RequestModel):
    """Which tickers to take: ``symbols`` wins over ``exchanges``; with neither, every subscribed symbol."""

    exchanges: Exchanges | None = None
    symbols: Symbols | None = None


class OrderbookBackfillRequest(TickerBackfillRequest):
    """Which order books to take, chosen as for tickers, and how deep."""

    limit: Annotated[int, Field(ge=1, le=1000, strict=True, description="levels a side, 1 to 1000")] = 20


class BalanceBackfillRequest(RequestModel):
    """Whose balances to take; every account must be on one of the exchanges, where those are given."""

    exchanges: Exchanges | None = None
    accounts: Accounts


class TransferBackfillRequest(RequestModel):
    """Whose deposits, withdrawals and internal moves to fetch; exchanges alone mean all their accounts.

    At least one of the two must be given. The range is half-open.
    """

    exchanges: Exchanges | None = None
    accounts: Accounts | None = None
    start_time: Start = None
    end_time: End = None


class LedgerBackfillRequest(TransferBackfillRequest):
    """Whose orders or fills to fetch, and of which instruments; exchanges alone mean all their accounts.

    At least one of exchanges and accounts must be given. The range is half-open.
    """

    symbols: RootSymbols | None = None


class QueuedResponse(AnswerModel):
    """A backfill was accepted and its execution is committed; ``trace_id`` finds its logs and its state."""

    execution_id: int
    trace_id: str
    status: str
    message: str

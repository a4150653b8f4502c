"""Requests for history, and the answer to all of them. Source: backfill_api, one section per request."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from markethub.wire.model import READ_WHOLE, AnswerModel, RequestModel
from markethub.wire.names import AccountName, CryptoName, ExchangeCode, IntervalName, RootName
from markethub.wire.times import LATER, OptionalRequestTime, RequestTime

# Far above what a venue lists, far below what would make planning slow.
_MOST_SYMBOLS = 10_000

_MOST_ACCOUNTS = 1_000

_NOT_EMPTY = {"minItems": 1}  # refused by the service, whose words name what there is

Exchanges = Annotated[
    list[ExchangeCode],
    Field(
        max_length=100,
        description="codes such as `BNC`",
        examples=[["BNC", "OKX"]],
        json_schema_extra=_NOT_EMPTY,
    ),
]
Symbols = Annotated[
    list[CryptoName],
    Field(
        max_length=_MOST_SYMBOLS,
        description="names such as `BTC_USDT.BNC`",
        examples=[["BTC_USDT.BNC", "ETH_USDT.OKX"]],
        json_schema_extra=_NOT_EMPTY,
    ),
]
RootSymbols = Annotated[
    list[RootName],
    Field(
        max_length=_MOST_SYMBOLS,
        description="root symbols such as `BTC_USDT`; all when left out",
        examples=[["BTC_USDT", "ETH_USDT"]],
        json_schema_extra=_NOT_EMPTY,
    ),
]
Accounts = Annotated[
    list[AccountName],
    Field(
        max_length=_MOST_ACCOUNTS,
        description="configured accounts, such as `OKX_MM01`",
        examples=[["BNC_MM01", "OKX_MM01"]],
        json_schema_extra=_NOT_EMPTY,
    ),
]
Start = Annotated[
    OptionalRequestTime, Field(description="the first time; as far back as the exchange tells when left out")
]
End = Annotated[
    OptionalRequestTime, Field(description="times before this; now when left out", examples=[LATER])
]

Mode = Annotated[
    Literal["missing", "all", "failed"],
    Field(
        description="`missing`: what is not stored; `all`: also what is, to find what was amended since; "
        "`failed`: what failed in the newest backfills of this kind. For snapshots `all` is as `missing`"
    ),
]
Priority = Annotated[
    int, Field(ge=-100, le=100, strict=True, description="-100 to 100; higher runs first"), READ_WHOLE
]
DryRun = Annotated[
    bool, Field(strict=True, description="queue nothing: answer what would be done, and what it would take")
]


class KlineBackfillRequest(RequestModel):
    """Which bars to fetch: ``symbols`` wins over ``exchanges``; with neither, every subscribed symbol.

    The range is half-open; without an end it reaches to now.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX", "ETH_USDT.BNC"],
                    "intervals": ["1m", "1h"],
                    "start_time": "2026-01-01T00:00:00Z",
                    "end_time": LATER,
                },
                {"exchanges": ["BNC", "OKX"], "intervals": ["1h"], "start_time": "2026-01-01T00:00:00Z"},
            ]
        }
    )

    exchanges: Exchanges | None = None
    symbols: Symbols | None = None
    intervals: Annotated[
        list[IntervalName],
        Field(
            max_length=100,
            description="bar widths",
            examples=[["1m", "1h"]],
            json_schema_extra=_NOT_EMPTY,
        ),
    ]
    start_time: Annotated[RequestTime, Field(description="the first open time; not before 2010")]
    end_time: Annotated[
        OptionalRequestTime,
        Field(description="open times before this; now when left out", examples=[LATER]),
    ] = None
    mode: Mode = "missing"
    priority: Priority = 0
    dry_run: DryRun = False


class SymbolBackfillRequest(RequestModel):
    """Whose listing to update."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"exchanges": ["BNC", "OKX", "GIO"]}]})

    exchanges: Exchanges
    mode: Mode = "missing"
    priority: Priority = 0
    dry_run: DryRun = False


class TickerBackfillRequest(RequestModel):
    """Which tickers to take: ``symbols`` wins over ``exchanges``; with neither, every subscribed symbol."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX", "ETH_USDT.BNC"]}, {}]}
    )

    exchanges: Exchanges | None = None
    symbols: Symbols | None = None
    mode: Mode = "missing"
    priority: Priority = 0
    dry_run: DryRun = False


class OrderbookBackfillRequest(TickerBackfillRequest):
    """Which order books to take, chosen as for tickers, and how deep."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX"], "limit": 20}]}
    )

    limit: Annotated[
        int, Field(ge=1, le=1000, strict=True, description="levels a side, 1 to 1000"), READ_WHOLE
    ] = 20


class BalanceBackfillRequest(RequestModel):
    """Whose balances to take; every account must be on one of the exchanges, where those are given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"accounts": ["BNC_MM01", "OKX_MM01"]}]})

    exchanges: Exchanges | None = None
    accounts: Accounts
    mode: Mode = "missing"
    priority: Priority = 0
    dry_run: DryRun = False


class TransferBackfillRequest(RequestModel):
    """Whose deposits, withdrawals and internal moves to fetch; exchanges alone mean all their accounts.

    At least one of the two must be given. The range is half-open.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"accounts": ["OKX_MM01"]}]})

    exchanges: Exchanges | None = None
    accounts: Accounts | None = None
    start_time: Start = None
    end_time: End = None
    mode: Mode = "missing"
    priority: Priority = 0
    dry_run: DryRun = False


class LedgerBackfillRequest(TransferBackfillRequest):
    """Whose orders or fills to fetch, and of which instruments; exchanges alone mean all their accounts.

    At least one of exchanges and accounts must be given. The range is half-open.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "accounts": ["OKX_MM01"],
                    "symbols": ["BTC_USDT", "ETH_USDT"],
                    "start_time": "2026-01-01T00:00:00Z",
                    "end_time": LATER,
                }
            ]
        }
    )

    symbols: RootSymbols | None = None


class QueuedResponse(AnswerModel):
    """A backfill was accepted and its execution is committed; ``trace_id`` finds its logs and its state."""

    execution_id: int
    trace_id: str
    status: str
    message: str

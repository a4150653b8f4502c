"""Which stored records to read."""

from typing import Annotated

from pydantic import Field

from markethub.wire.model import RequestModel, Text
from markethub.wire.names import AccountName, ExchangeCode, InstrumentName, TradedName
from markethub.wire.pagination import Offset
from markethub.wire.series import Format
from markethub.wire.times import LATER, OptionalRequestTime

_MOST = 1_000

_LIMIT = (
    "rows to return; 100 when left out and the answer is JSON, else all, as far as one answer may hold them"
)

Exchange = Annotated[ExchangeCode | None, Field(description="one exchange's rows, such as `BNC`")]
Symbol = Annotated[
    list[InstrumentName] | None,
    Field(max_length=_MOST, description="names such as `BTC_USDT.BNC`; may be repeated"),
]
TradedSymbol = Annotated[
    list[TradedName] | None,
    Field(max_length=_MOST, description="names such as `BTC_USDT` or `BTC_USDT.OKX`; may be repeated"),
]
Account = Annotated[
    list[AccountName] | None,
    Field(max_length=_MOST, description="accounts such as `OKX_MM01`; may be repeated"),
]
Asset = Annotated[
    list[Text] | None,
    Field(max_length=_MOST, description="assets such as `USDT`; may be repeated", examples=[["USDT"]]),
]
OrderId = Annotated[
    list[Text] | None,
    Field(
        max_length=_MOST, description="the exchange's ids; may be repeated", examples=[["312269865356374016"]]
    ),
]
Newest = Annotated[bool, Field(description="only the newest state")]


class RecordQuery(RequestModel):
    """The half-open range of times asked for, the window of rows, and how to write them.

    Without ``format`` the Accept header decides.
    """

    start: Annotated[OptionalRequestTime, Field(description="the first time")] = None
    end: Annotated[OptionalRequestTime, Field(description="times before this", examples=[LATER])] = None
    limit: Annotated[int | None, Field(ge=1, le=2**53, description=_LIMIT, examples=[100])] = None
    offset: Offset = 0
    order_desc: Annotated[bool, Field(description="the latest rows first")] = False
    format: Format = None


class SymbolQuery(RecordQuery):
    """Versions of instruments; ``current``: those in force now, or just before ``end``."""

    exchange: Exchange = None
    symbol: Symbol = None
    base: Asset = None
    quote: Asset = None
    status: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="`trading`, `halted`, `pre_open` or `delisting`; may be repeated",
            examples=[["trading"]],
        ),
    ] = None
    current: Annotated[bool, Field(description="only versions in force; false: the whole history")] = True


class SnapshotQuery(RecordQuery):
    """Tickers or order books; ``latest``: the newest of each symbol."""

    exchange: Exchange = None
    symbol: Symbol = None
    latest: Newest = False


class BalanceQuery(RecordQuery):
    """Balances; ``latest``: the newest snapshot of each account."""

    exchange: Exchange = None
    account: Account = None
    asset: Asset = None
    wallet: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST, description="`trading` or `funding`; may be repeated", examples=[["trading"]]
        ),
    ] = None
    latest: Newest = False


class OrderQuery(RecordQuery):
    """Orders by the time they were created."""

    exchange: Exchange = None
    account: Account = None
    symbol: TradedSymbol = None
    order_id: OrderId = None
    status: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="`filled`, `canceled`, `partially_filled` or `live`; may be repeated",
            examples=[["filled"]],
        ),
    ] = None


class FillQuery(RecordQuery):
    """Fills by the time they traded."""

    exchange: Exchange = None
    account: Account = None
    symbol: TradedSymbol = None
    order_id: OrderId = None


class TransferQuery(RecordQuery):
    """Deposits, withdrawals and internal moves."""

    exchange: Exchange = None
    account: Account = None
    asset: Asset = None
    kind: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="`deposit`, `withdrawal` or `internal`; may be repeated",
            examples=[["deposit"]],
        ),
    ] = None
    status: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="`pending`, `done` or `failed`; may be repeated",
            examples=[["done"]],
        ),
    ] = None


class RejectQuery(RecordQuery):
    """Rows that exchanges sent and that make no sense, by the time they were last seen."""

    kind: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="kinds of data such as `fill`; may be repeated",
            examples=[["kline", "fill"]],
        ),
    ] = None
    owner: Annotated[
        list[Text] | None,
        Field(
            max_length=_MOST,
            description="a series, symbol or account, such as `BTC_USDT.BNC 1h`; may be repeated",
            examples=[["BTC_USDT.BNC 1h"]],
        ),
    ] = None

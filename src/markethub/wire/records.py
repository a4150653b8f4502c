"""Which stored records to read."""

from typing import Annotated

from pydantic import Field

from markethub.wire.model import RequestModel, Text
from markethub.wire.pagination import Offset
from markethub.wire.series import TableFormat
from markethub.wire.times import OptionalRequestTime

Names = Annotated[list[Text], Field(max_length=1_000)]

_LIMIT = "rows to return; 100 when left out and the answer is JSON, else all"

Exchange = Annotated[Text | None, Field(description="one exchange's rows, such as `BNC`")]
Symbol = Annotated[Names | None, Field(description="names such as `BTC_USDT.BNC`; may be repeated")]
TradedSymbol = Annotated[
    Names | None, Field(description="names such as `BTC_USDT` or `BTC_USDT.OKX`; may be repeated")
]
Account = Annotated[Names | None, Field(description="accounts such as `OKX_MM01`; may be repeated")]
Asset = Annotated[Names | None, Field(description="assets such as `USDT`; may be repeated")]
Status = Annotated[Names | None, Field(description="statuses; may be repeated")]
Newest = Annotated[bool, Field(description="only the newest state")]


class RecordQuery(RequestModel):
    """The half-open range of times asked for, the window of rows, and how to write them.

    Without ``format`` the Accept header decides.
    """

    start: OptionalRequestTime = None
    end: OptionalRequestTime = None
    limit: Annotated[int | None, Field(ge=1, le=2**53, description=_LIMIT)] = None
    offset: Offset = 0
    order_desc: Annotated[bool, Field(description="the latest rows first")] = False
    format: TableFormat | None = None


class SymbolQuery(RecordQuery):
    """Versions of instruments; ``current``: those in force now, or just before ``end``."""

    exchange: Exchange = None
    symbol: Symbol = None
    base: Asset = None
    quote: Asset = None
    status: Status = None
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
    wallet: Annotated[Names | None, Field(description="`trading` or `funding`; may be repeated")] = None
    latest: Newest = False


class OrderQuery(RecordQuery):
    """Orders by the time they were created."""

    exchange: Exchange = None
    account: Account = None
    symbol: TradedSymbol = None
    order_id: Annotated[Names | None, Field(description="may be repeated")] = None
    status: Status = None


class FillQuery(RecordQuery):
    """Fills by the time they traded."""

    exchange: Exchange = None
    account: Account = None
    symbol: TradedSymbol = None
    order_id: Annotated[Names | None, Field(description="may be repeated")] = None


class TransferQuery(RecordQuery):
    """Deposits, withdrawals and internal moves."""

    exchange: Exchange = None
    account: Account = None
    asset: Asset = None
    kind: Annotated[
        Names | None, Field(description="`deposit`, `withdrawal` or `internal`; may be repeated")
    ] = None
    status: Status = None


class RejectQuery(RecordQuery):
    """Rows that exchanges sent and that make no sense, by the time they were last seen."""

    kind: Annotated[Names | None, Field(description="kinds of data such as `fill`; may be repeated")] = None
    owner: Annotated[
        Names | None,
        Field(description="a series, symbol or account, such as `BTC_USDT.BNC 1h`; may be repeated"),
    ] = None

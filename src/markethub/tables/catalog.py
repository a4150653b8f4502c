"""Every table of records by its name."""

from types import MappingProxyType

from markethub.domain.support import DataKind
from markethub.tables.balances import BALANCES
from markethub.tables.fills import FILLS
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.orders import ORDERS
from markethub.tables.records import RecordTable
from markethub.tables.rejects import REJECTS
from markethub.tables.symbols import SYMBOLS
from markethub.tables.tickers import TICKERS
from markethub.tables.transfers import TRANSFERS

TABLE_OF = MappingProxyType(
    {
        DataKind.SYMBOL: SYMBOLS,
        DataKind.TICKER: TICKERS,
        DataKind.ORDERBOOK: ORDERBOOKS,
        DataKind.BALANCE: BALANCES,
        DataKind.ORDER: ORDERS,
        DataKind.FILL: FILLS,
        DataKind.TRANSFER: TRANSFERS,
    }
)
"""The table of each kind of data but klines, which lie in series."""

RECORD_TABLES: MappingProxyType[str, RecordTable] = MappingProxyType(
    {table.name: table for table in (*TABLE_OF.values(), REJECTS)}
)

"""What OKX documents about its limits: so many requests per endpoint and window.

Public endpoints count by address, private ones by account (User ID). Sources: "Rate Limits" of the OKX API
v5 guide, and each endpoint's own page for the numbers. No header tells what is left, and a refusal names no
time.
"""

from dataclasses import dataclass

WINDOW_S = 2.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint below ``/api/v5/`` and the ``requests`` it allows in ``window_s`` seconds."""

    name: str
    requests: int
    window_s: float = WINDOW_S

    @property
    def path(self) -> str:
        return f"/api/v5/{self.name}"


TIME = Endpoint("public/time", 10)
INSTRUMENTS = Endpoint("public/instruments", 20)
CANDLES = Endpoint("market/candles", 40)
HISTORY_CANDLES = Endpoint("market/history-candles", 20)
TICKER = Endpoint("market/ticker", 20)
ALL_TICKERS = Endpoint("market/tickers", 20)
BOOKS = Endpoint("market/books", 40)
BOOKS_FULL = Endpoint("market/books-full", 10)
DATA_HISTORY = Endpoint("public/market-data-history", 5)

ACCOUNT_CONFIG = Endpoint("account/config", 5)
ACCOUNT_BALANCE = Endpoint("account/balance", 10)
ASSET_BALANCES = Endpoint("asset/balances", 6, window_s=1.0)

ORDERS_HISTORY = Endpoint("trade/orders-history", 40)
ORDERS_ARCHIVE = Endpoint("trade/orders-history-archive", 20)
FILLS_HISTORY = Endpoint("trade/fills-history", 10)
DEPOSITS = Endpoint("asset/deposit-history", 6, window_s=1.0)
WITHDRAWALS = Endpoint("asset/withdrawal-history", 6, window_s=1.0)
ASSET_BILLS = Endpoint("asset/bills-history", 1, window_s=1.0)

PAGE_ROWS = 300
"""The most rows of either candle endpoint. Servers have been seen to stop at 100: never count on it."""

LEDGER_ROWS = 100
"""The most records of any ledger endpoint."""

CANDLES_DEPTH_BARS = 1_440
"""How far back "Get candlesticks" reaches, the open bar included; older ones are in the history."""

BOOKS_LEVELS = 400
"""The most levels a side of "Order book"; "Full order book" has up to 5,000."""

"""What Binance documents about its limits.

Sources: "General API Information" and "LIMITS" of the Binance Spot REST API page; "Kline/Candlestick data",
"Exchange information" and "Check server time" of the same page for the weights.
"""

REQUEST_WEIGHT_PER_MINUTE = 6_000
"""Per address, not per key. ``exchangeInfo`` tells the present one in ``rateLimits``.

RAW_REQUESTS (300,000 per 5 minutes) cannot bind: at 2 weight a request it is 20 times what the weight allows.
"""

USED_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"

TIME_WEIGHT = 1
EXCHANGE_INFO_WEIGHT = 20
KLINES_WEIGHT = 2
"""Whatever the number of rows, so the largest page is always the one to ask for."""

KLINES_PAGE_ROWS = 1_000

"""What OKX documents about its limits: so many requests per endpoint, address and two seconds.

Sources: "Rate Limits" of the OKX API v5 guide; "Get system time", "Get instruments", "Get candlesticks" and
"Get candlesticks history" for the numbers. No header tells what is left, and a refusal names no time.
"""

WINDOW_S = 2.0

TIME_REQUESTS = 10
INSTRUMENTS_REQUESTS = 20
CANDLES_REQUESTS = 40
HISTORY_CANDLES_REQUESTS = 20

PAGE_ROWS = 300
"""The most rows of either candle endpoint. Servers have been seen to stop at 100: never count on it."""

CANDLES_DEPTH_BARS = 1_440
"""How far back "Get candlesticks" reaches, the open bar included; older ones are in the history."""

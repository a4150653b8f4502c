"""What Gate documents about its limits.

Sources: "Rate Limit" of the Gate API v4 page for the requests and the headers; "Market candlesticks" of the
same page for the page; its refusal "Candlestick too long ago. Maximum 10000 points ago are allowed" for the
depth.
"""

WINDOW_S = 10.0
"""Where the ten seconds begin is not documented; the headers set right what we assume."""

REQUESTS_PER_WINDOW = 200
"""For each public endpoint and address."""

LIMIT_HEADER = "X-Gate-RateLimit-Limit"
REMAIN_HEADER = "X-Gate-RateLimit-Requests-Remain"
RESET_HEADER = "X-Gate-RateLimit-Reset-Timestamp"
OUT_TIME_HEADER = "X-Out-Time"

PAGE_BARS = 1_000
"""The most points of one question, whether there are bars at them or not."""

DEPTH_BARS = 10_000
"""How many bars back a question may begin, for each interval by its own width."""

DEEPEST_BOOK = 1_000
"""Levels a side of "Retrieve order book". The page names no most: another client of the venue caps here."""

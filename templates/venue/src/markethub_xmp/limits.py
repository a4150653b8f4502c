"""What the venue documents about its limits. Name the page each number comes from.

Source: "Rate limits" of the Example Exchange API page.
"""

REQUESTS_PER_WINDOW = 50
WINDOW_S = 10.0
PAGE_BARS = 500

"""Time as something that can be replaced in tests."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns Unix milliseconds UTC."""


def system_clock() -> int:
    return time.time_ns() // 1_000_000

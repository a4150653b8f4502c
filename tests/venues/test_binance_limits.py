"""The limits that Binance tells, and what it has counted."""

import aiohttp

from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.sandbox.settings import clock_starting_at
from markethub.venues.binance import create_venue
from tests.budgets import budget_of


async def test_a_window_of_another_length_is_learned_with_its_header() -> None:
    """The limit, how long it lasts and the header that counts it all come from ``rateLimits``."""
    limits = SandboxSettings(
        clock=clock_starting_at(parse_time("2025-03-10T12:00:02Z")),
        weight_per_minute=600,
        weight_window_s=30,
    )
    async with running_sandbox(limits) as sandbox, aiohttp.ClientSession() as stranger:
        venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url})
        try:
            assert budget_of(venue, "request weight").window_s == 60
            assert await venue.klines.listed(Symbol.parse("BTC_USDT.BNC"))
            await venue.server_time_ms()
            budget = budget_of(venue, "request weight")
            assert (budget.limit, budget.window_s, budget.used) == (300, 30, 21)
            for _ in range(5):
                async with stranger.get(f"{sandbox.url}/api/v3/ping") as answer:
                    assert answer.headers["X-MBX-USED-WEIGHT-30S"]
            await venue.server_time_ms()
            assert budget_of(venue, "request weight").used == 27
        finally:
            await venue.close()

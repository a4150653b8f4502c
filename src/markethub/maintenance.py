"""The regular upkeep of an open node, in rounds that outlive any error of a step."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from markethub.domain.errors import MarketHubError

_EVERY_S = 60.0

Step = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def maintained(*steps: Step) -> AsyncIterator[None]:
    """While the block runs, do the steps every minute, one after the other; then stop."""
    rounds = asyncio.create_task(_go_round(steps), name="maintenance")
    try:
        yield
    finally:
        rounds.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rounds


async def _go_round(steps: tuple[Step, ...]) -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        for step in steps:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - a store nobody maintains grows slower and larger for ever
                # The next round tries again; reads and writes go on meanwhile.
                _log.error(
                    "maintenance failed and is tried again",
                    error=str(error) or type(error).__name__,
                    exc_info=None if isinstance(error, MarketHubError) else error,
                )

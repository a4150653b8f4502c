"""Loops that outlive any error of a step: one that ended would leave work undone for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from markethub.domain.errors import MarketHubError

_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0
_log = structlog.get_logger("markethub.engine")


async def repeat(
    step: Callable[[], Awaitable[float | None]],
    *,
    wake: asyncio.Event,
    stopped: asyncio.Event,
    pause_s: float,
) -> None:
    """Run ``step`` again and again until ``stopped``.

    After each it waits for ``wake``, at most ``pause_s``, or the shorter time in seconds that the step
    returned; after a failed one it waits longer from failure to failure.
    """
    failures = 0
    while not stopped.is_set():
        wake.clear()
        try:
            shorter_s = await step()
        except Exception as error:  # noqa: BLE001 - see the module's first line
            failures += 1
            back_off_s = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            _log.warning(
                "a step of the engine failed and is tried again",
                error=str(error) or type(error).__name__,
                again_in_s=back_off_s,
                exc_info=None if isinstance(error, MarketHubError) else error,
            )
            await _pause(stopped, back_off_s)
        else:
            failures = 0
            await _pause(wake, pause_s if shorter_s is None else min(pause_s, shorter_s))


async def _pause(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return

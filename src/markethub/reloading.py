"""Read the configuration again while the node runs: what counts at once, and what waits for a restart."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from markethub.app import apply_settings
from markethub.config import Settings
from markethub.domain.errors import MarketHubError
from markethub.services.hub import Hub

_AT_ONCE = "scheduler.default_jobs"  # as are jobs and subscriptions
_log = structlog.get_logger("markethub.reload")


async def reload_when(
    wanted: asyncio.Event, hub: Hub, started: Settings, read: Callable[[], Settings]
) -> None:
    """Reload each time ``wanted`` is set, until cancelled; several wishes at once are one."""
    while True:
        await wanted.wait()
        wanted.clear()
        await reload_settings(hub, started, read)


async def reload_settings(hub: Hub, started: Settings, read: Callable[[], Settings]) -> bool:
    """Apply what ``read`` says now; whether that could be done.

    A configuration that cannot be read or applied changes nothing, and the log says why. Settings that count
    at the start only are compared with those the node ``started`` with; the log names the changed ones.
    """
    try:
        settings = await asyncio.to_thread(read)
        for name in changed_settings(started, settings):
            _log.warning("a changed setting counts after a restart only", setting=name)
        # What a restart would open, such as accounts, is as it was opened.
        disabled = await apply_settings(hub, started.model_copy(update=_taken(started, settings)))
    except MarketHubError as error:
        _log.error("the configuration was not reloaded; jobs are as before", error=str(error))
        return False
    _log.info("the configuration was reloaded", disabled_jobs=disabled)
    return True


def changed_settings(started: Settings, settings: Settings) -> list[str]:
    """Names such as ``server.port`` of the settings that differ and need a restart; never their values."""
    before, after = dict(_flatten(started)), dict(_flatten(settings))
    changed = (name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return sorted(name for name in changed if name != _AT_ONCE)


def _taken(started: Settings, settings: Settings) -> dict[str, Any]:
    defaults = {"default_jobs": settings.scheduler.default_jobs}
    return {
        "jobs": settings.jobs,
        "subscriptions": settings.subscriptions,
        "scheduler": started.scheduler.model_copy(update=defaults),
    }


def _flatten(settings: Settings) -> Iterator[tuple[str, object]]:
    for section, value in settings.model_dump(exclude={"jobs", "subscriptions"}).items():
        if isinstance(value, dict):
            for name, one in value.items():
                yield f"{section}.{name}", one
        else:
            yield section, value

"""Rules of subscriptions that have never chosen, such as those a fresh install is configured with."""

import asyncio
from collections.abc import Mapping

import structlog

from markethub.control.database import Database
from markethub.control.subscription_choices import StoredChoice, list_choices
from markethub.domain.errors import MarketHubError
from markethub.jobs.asking import asking
from markethub.jobs.subscription_refresh import refresh_rule
from markethub.ports.clock import Clock
from markethub.ports.venue import Venue
from markethub.services.subscriptions import ASKER, RESOLVE_TIMEOUT_S, find_market

LOOK_S = 2.0
RETRY_S = 60.0

_log = structlog.get_logger("markethub.subscriptions")


async def resolve_pending(
    database: Database,
    venues: Mapping[str, Venue],
    clock: Clock,
    *,
    look_s: float = LOOK_S,
    retry_s: float = RETRY_S,
) -> None:
    """Let rules that have never chosen do so, until cancelled.

    Looks for them at once and then every ``look_s``. An exchange that does not answer is asked again after
    ``retry_s``, with a log line each time; meanwhile what was subscribed before still is.
    """
    loop = asyncio.get_running_loop()
    asked_s: dict[tuple[str, int], float] = {}
    while True:
        pending = {(choice.exchange, choice.updated_ms): choice for choice in await _find_pending(database)}
        asked_s = {key: time_s for key, time_s in asked_s.items() if key in pending}
        for key, choice in pending.items():
            if loop.time() >= asked_s.get(key, -retry_s) + retry_s:
                await _resolve(database, venues, clock, choice)
                asked_s[key] = loop.time()
        await asyncio.sleep(look_s)


async def _find_pending(database: Database) -> list[StoredChoice]:
    try:
        async with database.read() as connection:
            choices = await list_choices(connection)
    except MarketHubError as error:
        _log.warning("rules of subscriptions cannot be read now", error=str(error))
        return []
    return [choice for choice in choices if choice.rule is not None and choice.resolved_ms is None]


async def _resolve(
    database: Database, venues: Mapping[str, Venue], clock: Clock, choice: StoredChoice
) -> None:
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            with asking(ASKER, is_fresh=True):
                await refresh_rule(database, find_market(venues, choice.exchange), choice, clock, _log)
    except TimeoutError:
        _log.warning("subscription rule waits: no answer in time", exchange=choice.exchange)
    except Exception as error:  # noqa: BLE001 - one odd adapter shall not keep the others' rules waiting
        _log.warning(
            "subscription rule waits",
            exchange=choice.exchange,
            error=str(error) or type(error).__name__,
            exc_info=None if isinstance(error, MarketHubError) else error,
        )

"""The exchanges, as this machine reaches them."""

import asyncio
from collections.abc import Sequence

from markethub.app import load_venues
from markethub.cli.doctor.accounts import check_accounts
from markethub.cli.doctor.finding import Finding, fail, ok, warn
from markethub.config import Settings
from markethub.domain.errors import MarketHubError
from markethub.domain.support import SUPPORT
from markethub.ports.clock import system_clock
from markethub.ports.venue import Venue

_TIMEOUT_S = 10.0
_GOOD_OFFSET_MS = 1000


async def check_venues(settings: Settings) -> Sequence[Finding]:
    """One finding per exchange with an adapter (it answers, its clock agrees with ours), one per account.

    Stock markets are asked only where they are configured: most nodes never do.
    """
    try:
        venues = load_venues(settings.venues)
    except MarketHubError as error:
        return [fail("exchanges", str(error), "correct the settings below [venues]")]
    try:
        asked = [venue for code, venue in venues.items() if code in SUPPORT or code in settings.venues]
        found = await asyncio.gather(*(_check_venue(venue) for venue in asked))
        return [*found, *await check_accounts(settings, venues)]
    finally:
        for venue in venues.values():
            await venue.close()


async def _check_venue(venue: Venue) -> Finding:
    name = f"exchange {venue.code}"
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            before_ms = system_clock()
            their_ms = await venue.server_time_ms()
            after_ms = system_clock()
    except TimeoutError:
        return fail(name, f"no answer within {_TIMEOUT_S:.0f} s", "look at network, proxy and firewall")
    except MarketHubError as error:
        return fail(name, str(error), "look at network, proxy and firewall; without any, use --offline")
    offset_ms = their_ms - (before_ms + after_ms) // 2
    detail = f"answers in {after_ms - before_ms} ms, its clock is {offset_ms:+d} ms from ours"
    if abs(offset_ms) > _GOOD_OFFSET_MS + (after_ms - before_ms) // 2:
        return warn(name, detail, "set this machine's clock by NTP: which bars have closed depends on it")
    return ok(name, detail)

"""Binance's hosts, and what each counts."""

from markethub.ports.budget import BudgetPool
from markethub.ports.venue import VenueLimits
from markethub.venues.binance.errors import ARCHIVE_FAULTS, REST_FAULTS
from markethub.venues.binance.limits import (
    REQUEST_WEIGHT_PER_MINUTE,
    SAPI_USED_WEIGHT_HEADER,
    SAPI_WEIGHT_PER_MINUTE,
    USED_WEIGHT_HEADER,
)
from markethub.venues.binance.names import CODE
from markethub.venues.binance.options import BinanceOptions
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0
_DOWNLOAD_S = 600.0


class BinanceDoors:
    """Three callers: ``rest`` (below ``/api``) and ``sapi`` share a host, but no limits; the ``archive`` has
    a host of its own.

    ``rest_budget`` is told the limit that the venue tells.
    """

    def __init__(self, options: BinanceOptions, pool: BudgetPool | None) -> None:
        policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        times = Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s)
        # A file may take its time as long as it keeps coming.
        file_times = Timeouts(connect_s, options.request_timeout_s, _DOWNLOAD_S)
        self.rest_budget = WeightBudget(
            f"{CODE} request weight",
            limit=REQUEST_WEIGHT_PER_MINUTE,
            cap=options.weight_limit,
            margin=options.safety_fraction,
            max_in_flight=options.connections,
            pool=pool,
        )
        self._sapi_budget = WeightBudget(
            f"{CODE} sapi weight",
            limit=SAPI_WEIGHT_PER_MINUTE,
            margin=options.safety_fraction,
            max_in_flight=options.connections,
            pool=pool,
        )
        # No limit of requests is documented there.
        self._archive_budget = WeightBudget(
            f"{CODE} archive", limit=None, max_in_flight=options.archive_connections
        )
        host = VenueSession(CODE, options.base_url, times)
        self.rest = VenueCaller(host, self.rest_budget, REST_FAULTS, policy, count_header=USED_WEIGHT_HEADER)
        self.sapi = VenueCaller(
            host, self._sapi_budget, REST_FAULTS, policy, count_header=SAPI_USED_WEIGHT_HEADER
        )
        self.archive = VenueCaller(
            VenueSession(CODE, options.archive_url, file_times, compressed=False),
            self._archive_budget,
            ARCHIVE_FAULTS,
            policy,
        )

    def sync(self, server_ms: int) -> None:
        """Date the windows by the venue's clock, which shows ``server_ms`` now."""
        self.rest_budget.sync(server_ms)
        self._sapi_budget.sync(server_ms)

    def limits(self) -> list[VenueLimits]:
        return [budget.state() for budget in (self.rest_budget, self._sapi_budget, self._archive_budget)]

    async def close(self) -> None:
        await self.rest.close()
        await self.sapi.close()
        await self.archive.close()

"""One door for each of OKX's endpoints, as the venue counts them apart."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.symbol import Account
from markethub.ports.budget import BudgetPool
from markethub.ports.venue import VenueLimits
from markethub.venues.okx.errors import REST_FAULTS
from markethub.venues.okx.limits import Endpoint
from markethub.venues.okx.names import CODE
from markethub.venues.okx.options import OkxOptions
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question, Signer
from markethub.venues.transport.session import VenueSession

_ANSWER_BYTES = 64 * 1024 * 1024


class Doors:
    """Opens callers over one session; asking for the same endpoint of the same account shares its budget."""

    def __init__(self, session: VenueSession, options: OkxOptions, pool: BudgetPool | None) -> None:
        self._session = session
        self._options = options
        self._pool = pool
        self._policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
        self._open: dict[tuple[Account | None, Endpoint], tuple[WeightBudget, VenueCaller]] = {}
        self._dated: tuple[int, float] | None = None

    def caller(self, endpoint: Endpoint, account: Account | None = None) -> VenueCaller:
        """The caller of an endpoint; ``account`` where the venue counts by account."""
        found = self._open.get((account, endpoint))
        if found is None:
            found = self._open[account, endpoint] = self._build(endpoint, account)
        return found[1]

    def sync(self, server_ms: int) -> None:
        """Date all windows, also those opened later, by the venue's clock, which shows ``server_ms`` now."""
        self._dated = (server_ms, time.monotonic())
        for budget in self.budgets():
            budget.sync(server_ms)

    def budgets(self) -> list[WeightBudget]:
        return [budget for budget, _ in self._open.values()]

    def states(self) -> list[VenueLimits]:
        return [budget.state() for budget in self.budgets()]

    def _build(self, endpoint: Endpoint, account: Account | None) -> tuple[WeightBudget, VenueCaller]:
        owner = CODE if account is None else f"{CODE} {account.name}"
        budget = WeightBudget(
            f"{owner} {endpoint.name}",
            limit=endpoint.requests,
            margin=self._options.safety_fraction,
            max_in_flight=self._options.connections,
            window_s=endpoint.window_s,
            pool=self._pool,
        )
        if self._dated is not None:
            server_ms, measured_s = self._dated
            budget.sync(server_ms + int((time.monotonic() - measured_s) * 1000))
        return budget, VenueCaller(self._session, budget, REST_FAULTS, self._policy)


@dataclass(frozen=True, slots=True)
class AccountDoors:
    """The private endpoints, asked in the name of one account."""

    doors: Doors
    account: Account
    signer: Signer

    def open(self, *endpoints: Endpoint) -> None:
        """Make the endpoints' budgets known before anything is asked of them."""
        for endpoint in endpoints:
            self.doors.caller(endpoint, self.account)

    async def ask(
        self, endpoint: Endpoint, params: Mapping[str, str | int] | None = None, subject: str = ""
    ) -> bytes:
        """The body of a good answer; ``subject`` names the question in errors, by default by its endpoint.

        Raises what ``VenueCaller.ask`` raises.
        """
        question = Question(
            path=endpoint.path,
            params=params or {},
            weight=1,
            subject=subject or f"{endpoint.name} of {self.account}",
            max_bytes=_ANSWER_BYTES,
        )
        return await self.doors.caller(endpoint, self.account).ask(question, self.signer)

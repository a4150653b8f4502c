"""What a job is about whose parameters name nobody: everything that is subscribed or configured."""

from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol, is_stock_market
from markethub.engine.handler import Parameters
from markethub.jobs.accounts import AccountAccess
from markethub.ports.subscriptions import Subscriptions
from markethub.ports.venue import Venue


@dataclass(frozen=True, slots=True)
class SyncTargets:
    """Resolves parameters as things stand at the moment of asking."""

    venues: Mapping[str, Venue]
    subscriptions: Subscriptions
    access: AccountAccess

    def exchanges(self, kind: DataKind, parameters: Parameters) -> list[str]:
        """The parameter ``exchanges``, else every exchange with an adapter that has ``kind``.

        Stock markets are among them only where they are named: nobody subscribes to stocks.
        """
        if (named := parameters.get("exchanges")) is not None:
            return list(dict.fromkeys(named))
        return [
            code for code, venue in self.venues.items() if kind in venue.kinds and not is_stock_market(code)
        ]

    async def symbols(self, kind: DataKind, parameters: Parameters) -> list[Symbol]:
        """The parameter ``symbols``, else the subscribed ones of the exchanges; perhaps none."""
        if (named := parameters.get("symbols")) is not None:
            return list(dict.fromkeys(Symbol.parse(text) for text in named))
        return await self.subscriptions.symbols(self.exchanges(kind, parameters))

    def accounts(self, kind: DataKind, parameters: Parameters) -> list[Account]:
        """The parameter ``accounts``, else the configured ones on the exchanges; perhaps none."""
        if (named := parameters.get("accounts")) is not None:
            return list(dict.fromkeys(Account.parse(text) for text in named))
        exchanges = self.exchanges(kind, parameters)
        return [account for account in self.access.accounts() if account.venue in exchanges]

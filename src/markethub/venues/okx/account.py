"""One OKX account. Source: the pages named at each method, of the OKX API v5 guide."""

from collections.abc import AsyncIterator

import pyarrow as pa

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.ports.venue import KeyRights, LedgerPage
from markethub.venues.okx.account_parse import parse_funding_balances, parse_rights, parse_trading_balances
from markethub.venues.okx.doors import AccountDoors
from markethub.venues.okx.ledger import OkxLedger
from markethub.venues.okx.limits import ACCOUNT_BALANCE, ACCOUNT_CONFIG, ASSET_BALANCES
from markethub.venues.transport.server_clock import ServerClock


class OkxAccount:
    """An AccountSource."""

    def __init__(self, account: Account, doors: AccountDoors, clock: ServerClock) -> None:
        self._account = account
        self._doors = doors
        self._clock = clock
        self._ledger = OkxLedger(account, doors, clock)
        doors.open(ACCOUNT_CONFIG, ACCOUNT_BALANCE, ASSET_BALANCES)

    async def rights(self) -> KeyRights:
        """What the key may do, asked now. Source: "Get account configuration".

        PermissionRefusedError for a key that may not even read: the venue tells it nothing.
        """
        return parse_rights(await self._doors.ask(ACCOUNT_CONFIG))

    async def balances(self) -> pa.Table:
        """Both wallets, ``trading`` before ``funding``. Source: "Get balance" of either account.

        They are asked one after the other: what is moved between them in that moment may show in both or in
        neither.
        """
        await self._clock.known()
        time_ms = self._clock.bound_ms()
        trading = parse_trading_balances(await self._doors.ask(ACCOUNT_BALANCE), self._account, time_ms)
        funding = parse_funding_balances(await self._doors.ask(ASSET_BALANCES), self._account, time_ms)
        return pa.concat_tables([trading, funding])

    def ledger(self, kind: DataKind, span: Span, symbol: Symbol | None = None) -> AsyncIterator[LedgerPage]:
        """Pages of orders, fills or transfers; ``OkxLedger`` tells what each kind can be asked for."""
        return self._ledger.pages(kind, span, symbol)

    def reach_ms(self, kind: DataKind, now_ms: int) -> int:
        """The earliest time from which the venue still tells rows of ``kind``."""
        return self._ledger.reach_ms(kind, now_ms)

    def tells_all_from_ms(self, kind: DataKind, now_ms: int) -> int:
        """From when on it tells all of them: of older orders only those that ended since."""
        return self._ledger.tells_all_from_ms(kind, now_ms)

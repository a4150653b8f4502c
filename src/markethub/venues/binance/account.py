"""One account at Binance: its balances, and what its key may do."""

from collections.abc import AsyncIterator

import pyarrow as pa

from markethub.domain.errors import InputError, VenueThrottledError
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.ports.keys import ApiKey
from markethub.ports.venue import KeyRights, LedgerPage
from markethub.venues.binance.account_parse import parse_funding_wallet, parse_rights, parse_spot_wallet
from markethub.venues.binance.doors import BinanceDoors
from markethub.venues.binance.limits import ACCOUNT_WEIGHT, FUNDING_WEIGHT, RIGHTS_WEIGHT
from markethub.venues.binance.names import CODE
from markethub.venues.binance.signing import BinanceSigner
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.stamp import Stamp

_WALLET_BYTES = 4 * 1024 * 1024  # all 700 assets of the venue are 60 kB


class BinanceAccount:
    """An AccountSource for balances. Orders, fills and transfers of Binance are not supported.

    Budgets are the venue's own: Binance counts these questions by address, not by account.
    """

    def __init__(
        self, account: Account, key: ApiKey, doors: BinanceDoors, clock: ServerClock, *, recv_window_ms: int
    ) -> None:
        self._account = account
        self._doors = doors
        self._clock = clock
        self._signer = BinanceSigner(account, key, clock, recv_window_ms=recv_window_ms)

    async def rights(self) -> KeyRights:
        """What the key may do, asked now. A key that may not read is refused (PermissionRefusedError)."""
        question = Question(
            path="/sapi/v1/account/apiRestrictions",
            weight=RIGHTS_WEIGHT,
            subject=f"key permissions of {self._account}",
            max_bytes=64 * 1024,
        )
        return parse_rights(await self._ask_sapi(question))

    async def balances(self) -> pa.Table:
        """Spot and funding wallet under one time: when the first of the two was asked.

        What moves between the wallets in the moment between both questions is missed or seen twice.
        """
        spot = Question(
            path="/api/v3/account",
            params={"omitZeroBalances": "true"},
            weight=ACCOUNT_WEIGHT,
            subject=f"spot wallet of {self._account}",
            max_bytes=_WALLET_BYTES,
        )
        funding = Question(
            path="/sapi/v1/asset/get-funding-asset",
            weight=FUNDING_WEIGHT,
            subject=f"funding wallet of {self._account}",
            max_bytes=_WALLET_BYTES,
            method="POST",
        )
        stamp = Stamp(self._clock, self._signer)
        spot_body = await self._doors.rest.ask(spot, stamp)
        funding_body = await self._ask_sapi(funding)
        time_ms = stamp.sent_ms
        return pa.concat_tables(
            [
                parse_spot_wallet(spot_body, self._account, time_ms, f"{CODE} {spot.subject}"),
                parse_funding_wallet(funding_body, self._account, time_ms, f"{CODE} {funding.subject}"),
            ]
        )

    async def _ask_sapi(self, question: Question) -> bytes:
        """``/sapi`` shares no limits with ``/api``, but a ban is for the address: then nothing is asked."""
        await self._signer.prepare()
        rest = self._doors.rest_budget.state()
        if rest.is_banned and rest.closed_until_ms is not None:
            left_s = (rest.closed_until_ms - self._clock.bound_ms()) / 1000
            raise VenueThrottledError(f"{CODE} {question.subject}: this address is banned", max(left_s, 1.0))
        return await self._doors.sapi.ask(question, self._signer)

    def ledger(
        self,
        kind: DataKind,
        span: Span,  # noqa: ARG002
        symbol: Symbol | None = None,  # noqa: ARG002
    ) -> AsyncIterator[LedgerPage]:
        """InputError: no ledger of Binance is supported."""
        raise _unsupported(kind)

    def reach_ms(self, kind: DataKind, now_ms: int) -> int:  # noqa: ARG002
        """InputError: no ledger of Binance is supported."""
        raise _unsupported(kind)

    def tells_all_from_ms(self, kind: DataKind, now_ms: int) -> int:  # noqa: ARG002
        """InputError: no ledger of Binance is supported."""
        raise _unsupported(kind)


def _unsupported(kind: DataKind) -> InputError:
    return InputError(f"exchange {CODE} does not support {kind}: of accounts, balances only")

"""The ledger of one OKX account: orders, fills and transfers."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import InputError, VenueProtocolError
from markethub.domain.span import Span, span_or_none
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.ports.venue import LedgerPage
from markethub.tables.catalog import TABLE_OF
from markethub.tables.records import check_records, times_ms
from markethub.venues.okx.doors import AccountDoors
from markethub.venues.okx.ledger_entries import Entry, EntryFields, Tabulated, read_entries
from markethub.venues.okx.ledger_parse import (
    FILL_FIELDS,
    ORDER_FIELDS,
    read_update_ms,
    tabulate_fills,
    tabulate_orders,
)
from markethub.venues.okx.ledger_transfers_parse import (
    BILL_FIELDS,
    DEPOSIT_FIELDS,
    PENDING,
    WITHDRAWAL_FIELDS,
    is_move,
    tabulate_deposits,
    tabulate_moves,
    tabulate_withdrawals,
)
from markethub.venues.okx.ledger_walks import AskPage, BillWalk, Cursor, IdWalk, TimeWalk, Walk
from markethub.venues.okx.limits import (
    ASSET_BILLS,
    DEPOSITS,
    FILLS_HISTORY,
    LEDGER_ROWS,
    ORDERS_ARCHIVE,
    ORDERS_HISTORY,
    WITHDRAWALS,
    Endpoint,
)
from markethub.venues.okx.names import join_name
from markethub.venues.transport.server_clock import ServerClock

_DAY_MS: Final = 86_400_000
# "Last 3 months" is 89 to 92 days by the calendar. Asked is for all that may be there; claimed is only what
# surely still was.
_MOST_DAYS, _SURE_DAYS = 92, 88
# Orders count by their end, and are listed here by their beginning: some wait for months.
_ORDER_DAYS: Final = 366
_VENUE_BEGAN_MS: Final = 1_483_228_800_000  # 2017
BILLS_BEGAN_MS: Final = 1_612_137_600_000  # 2021-02-01: "Asset bills history"

# A trade may be booked, and a record be shown, a little later than it happened. Only the 30 s of asset bills
# are documented.
_SETTLING_MS: Final = 300_000

_SECOND_TRIES: Final = 2

Tabulate = Callable[[Sequence[Entry], Account, str], Tabulated]


class _Stream(NamedTuple):
    """One of the endpoints that tell transfers."""

    walk: Walk
    tabulate: Tabulate


class OkxLedger:
    """Reads the ledger. What each kind can be asked for:

    - Fills (``trade/fills-history``): three months. Claimed as soon as they are older than five minutes.
    - Orders (``trade/orders-history`` and ``-archive``): those that ended in the last three months, asked for
      up to a year from their creation. Nothing is ever claimed: an order that is live today is in neither
      list, and may end months after it was created. One that was cancelled without a fill is told for two
      hours after that, and can never be had again.
    - Transfers (``asset/deposit-history``, ``withdrawal-history`` and ``bills-history``): all deposits and
      withdrawals; moves between own wallets and sub-accounts since 2021-02-01. A claim ends before the first
      one in it that is still pending.
    """

    def __init__(self, account: Account, doors: AccountDoors, clock: ServerClock) -> None:
        self._account = account
        self._doors = doors
        self._clock = clock
        doors.open(ORDERS_HISTORY, ORDERS_ARCHIVE, FILLS_HISTORY, DEPOSITS, WITHDRAWALS, ASSET_BILLS)

    def reach_ms(self, kind: DataKind, now_ms: int) -> int:
        """The earliest time from which the venue may still tell rows of ``kind``."""
        if kind is DataKind.TRANSFER:
            return _VENUE_BEGAN_MS
        return now_ms - (_ORDER_DAYS if kind is DataKind.ORDER else _MOST_DAYS) * _DAY_MS

    def tells_all_from_ms(self, kind: DataKind, now_ms: int) -> int:
        """From when on it tells all of them: an order that was created since has ended since."""
        return _VENUE_BEGAN_MS if kind is DataKind.TRANSFER else now_ms - _SURE_DAYS * _DAY_MS

    def pages(self, kind: DataKind, span: Span, symbol: Symbol | None = None) -> AsyncIterator[LedgerPage]:
        """Pages of ``kind`` by the table's time; one request or a few each, none in advance.

        Orders come from two endpoints one after the other, each newest first; one that both show comes again
        only if it changed meanwhile. InputError for a kind that is no ledger, or transfers of a symbol.
        """
        if kind is DataKind.ORDER:
            return self._orders(span, symbol)
        if kind is DataKind.FILL:
            return self._fills(span, symbol)
        if kind is DataKind.TRANSFER and symbol is None:
            return self._transfers(span)
        raise InputError(f"account {self._account} has no ledger of {kind} of {symbol or 'all symbols'}")

    async def _reachable(self, kind: DataKind, span: Span) -> tuple[int, Span | None]:
        """A time that the venue's clock has passed, and the part of ``span`` that can be asked for."""
        now_ms = await self._clock.passed_ms(span.end_ms)
        return now_ms, span_or_none(max(span.start_ms, self.reach_ms(kind, now_ms)), span.end_ms)

    async def _orders(self, span: Span, symbol: Symbol | None) -> AsyncIterator[LedgerPage]:
        _, asked = await self._reachable(DataKind.ORDER, span)
        if asked is None:
            return
        params = {"begin": asked.start_ms, "end": asked.end_ms - 1}  # inclusive, and filter by creation
        recent_ms: dict[str, int] = {}
        for endpoint in (ORDERS_HISTORY, ORDERS_ARCHIVE):
            source = self._source(endpoint, asked)
            walk = IdWalk(self._spot_asker(endpoint, ORDER_FIELDS, params, symbol, source), asked, source)
            while not walk.is_done:
                fresh = []
                for entry in _select(await _next_page(walk), asked):
                    updated_ms = read_update_ms(entry, source)
                    if endpoint is ORDERS_HISTORY:
                        recent_ms[entry.id] = updated_ms
                    elif updated_ms <= recent_ms.get(entry.id, -1):
                        continue
                    fresh.append(entry)
                yield self._page(DataKind.ORDER, tabulate_orders, fresh, None, source)

    async def _fills(self, span: Span, symbol: Symbol | None) -> AsyncIterator[LedgerPage]:
        now_ms, asked = await self._reachable(DataKind.FILL, span)
        if asked is None:
            return
        source = self._source(FILLS_HISTORY, asked)
        # The filter is by booking time. With `begin` alone the newest rows would come, not those next to it.
        params = {"begin": asked.start_ms - _SETTLING_MS, "end": asked.end_ms + _SETTLING_MS}
        walk = IdWalk(self._spot_asker(FILLS_HISTORY, FILL_FIELDS, params, symbol, source), asked, source)
        sure_ms = self.tells_all_from_ms(DataKind.FILL, now_ms)
        while not walk.is_done:
            fresh = _select(await _next_page(walk), asked)
            covered = span_or_none(max(walk.complete_ms, sure_ms), min(asked.end_ms, now_ms - _SETTLING_MS))
            yield self._page(DataKind.FILL, tabulate_fills, fresh, covered, source)

    async def _transfers(self, span: Span) -> AsyncIterator[LedgerPage]:
        now_ms, asked = await self._reachable(DataKind.TRANSFER, span)
        if asked is None:
            return
        source = f"transfers of {self._account} in {asked}"
        streams = self._transfer_streams(asked)
        pending_ms: list[int] = []
        while unfinished := [stream for stream in streams if not stream.walk.is_done]:
            # The one that is farthest behind: claims need all three.
            walk, tabulate = max(unfinished, key=lambda stream: stream.walk.complete_ms)
            fresh = _select(await _next_page(walk), asked)
            page = self._page(DataKind.TRANSFER, tabulate, fresh, None, source)
            pending_ms += _find_pending(page.rows)
            complete_ms = max(stream.walk.complete_ms for stream in streams)
            final_ms = min(
                asked.end_ms, now_ms - _SETTLING_MS, *(at for at in pending_ms if at >= complete_ms)
            )
            yield LedgerPage(page.rows, span_or_none(complete_ms, final_ms), page.rejected)

    def _transfer_streams(self, asked: Span) -> list[_Stream]:
        streams = []
        for endpoint, fields, tabulate in (
            (DEPOSITS, DEPOSIT_FIELDS, tabulate_deposits),
            (WITHDRAWALS, WITHDRAWAL_FIELDS, tabulate_withdrawals),
        ):
            source = self._source(endpoint, asked)
            walk = TimeWalk(self._asker(endpoint, fields, {}, source), asked, source)
            streams.append(_Stream(walk, tabulate))
        if asked.end_ms > BILLS_BEGAN_MS:
            source = self._source(ASSET_BILLS, asked)
            bills = BillWalk(self._asker(ASSET_BILLS, BILL_FIELDS, {}, source), asked, source)
            streams.append(_Stream(bills, _tabulate_bills))
        return streams

    def _source(self, endpoint: Endpoint, asked: Span) -> str:
        return f"{endpoint.name} of {self._account} in {asked}"

    def _spot_asker(
        self, endpoint: Endpoint, fields: EntryFields, params: Cursor, symbol: Symbol | None, source: str
    ) -> AskPage:
        if symbol is None:
            return self._asker(endpoint, fields, {"instType": "SPOT", **params}, source)
        name = join_name(symbol)
        ask = self._asker(endpoint, fields, {"instType": "SPOT", "instId": name, **params}, source)

        async def ask_for_symbol(cursor: Cursor) -> list[Entry]:
            page = await ask(cursor)
            if any(entry.row.get("instId") != name for entry in page):
                raise VenueProtocolError(f"{source}: asked for {name}, and others came")
            return page

        return ask_for_symbol

    def _asker(self, endpoint: Endpoint, fields: EntryFields, params: Cursor, source: str) -> AskPage:
        async def ask(cursor: Cursor) -> list[Entry]:
            question = {**params, **cursor, "limit": LEDGER_ROWS}
            return read_entries(await self._doors.ask(endpoint, question, source), fields, source)

        return ask

    def _page(
        self, kind: DataKind, tabulate: Tabulate, entries: Sequence[Entry], covered: Span | None, source: str
    ) -> LedgerPage:
        rows, rejected = tabulate(entries, self._account, source)
        return LedgerPage(check_records(rows, TABLE_OF[kind], source), covered, rejected)


async def _next_page(walk: Walk) -> list[Entry]:
    """The walk's next page; one that cannot be trusted is asked for again, as the walk stays where it was.

    Otherwise long ledgers without claims could never be read from a venue that stumbles now and then.
    """
    for _ in range(_SECOND_TRIES):
        try:
            return await walk.next_page()
        except VenueProtocolError:
            continue
    return await walk.next_page()


def _select(entries: Sequence[Entry], span: Span) -> list[Entry]:
    return [entry for entry in entries if entry.time_ms in span]


def _tabulate_bills(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    return tabulate_moves([entry for entry in entries if is_move(entry, source)], account, source)


def _find_pending(rows: pa.Table) -> list[int]:
    pending = rows.filter(pc.equal(rows.column("status"), PENDING))
    found: list[int] = times_ms(pending, "time").to_pylist()
    return found

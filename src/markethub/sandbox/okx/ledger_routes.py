"""OKX's private endpoints for orders, fills and transfers, below ``/api/v5``.

Sources: "Get order history (last 7 days)", "(last 3 months)", "Get transaction details (last 3 months)", "Get
deposit history", "Get withdrawal history" and "Asset bills history" of the OKX API v5 guide.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from markethub.domain.times import parse_time
from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.okx.account_gate import AccountGate
from markethub.sandbox.okx.ledger_cursors import LedgerCursor, cut_page
from markethub.sandbox.okx.ledger_orders import Fill, Order
from markethub.sandbox.okx.ledger_prints import (
    print_bill,
    print_deposit,
    print_fill,
    print_order,
    print_withdrawal,
)
from markethub.sandbox.okx.ledger_slots import opened_ms
from markethub.sandbox.okx.ledger_transfers import Transfer
from markethub.sandbox.okx.ledgers import Ledgers
from markethub.sandbox.okx.names import PairNames
from markethub.sandbox.okx.refusals import refuse_empty, refuse_instrument, refuse_wrong, reply
from markethub.sandbox.settings import SandboxSettings

_INSTRUMENT_TYPES: Final = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")
_MOST_ROWS: Final = 100
_NUMBER: Final = re.compile("[0-9]{1,20}")
_RECENT_MS: Final = 7 * DAY_MS
_UNFILLED_MS: Final = 2 * 3_600_000
_ARCHIVED_MS: Final = 90 * DAY_MS
_BILLS_DELAY_MS: Final = 30_000
_BILLS_BEGAN_MS: Final = parse_time("2021-02-01")
_BY_TIME, _BY_ID = "1", "2"


class LedgerRoutes:
    """The handlers of one sandbox."""

    def __init__(
        self, settings: SandboxSettings, gate: AccountGate, names: PairNames, ledgers: Ledgers
    ) -> None:
        self._clock = settings.clock
        self._swaps_time_cursors = settings.okx_swaps_time_cursors
        self._gate = gate
        self._names = names
        self._ledgers = ledgers

    def add_to(self, app: web.Application) -> None:
        for path, handler in (
            ("/trade/orders-history", self._orders_history),
            ("/trade/orders-history-archive", self._orders_archive),
            ("/trade/fills-history", self._fills_history),
            ("/asset/deposit-history", self._deposits),
            ("/asset/withdrawal-history", self._withdrawals),
            ("/asset/bills-history", self._bills),
        ):
            app.router.add_get(path, self._gate.guard(handler))

    async def _orders_history(self, request: web.Request, account: SandboxAccount) -> web.Response:
        """Orders that ended in the last 7 days; without a fill, in the last 2 hours."""
        now_ms = self._clock()

        def is_shown(order: Order) -> bool:
            kept_ms = _RECENT_MS if order.fills else _UNFILLED_MS
            return now_ms - kept_ms < order.ended_ms <= now_ms

        return self._answer_orders(request.query, account, now_ms, is_shown)

    async def _orders_archive(self, request: web.Request, account: SandboxAccount) -> web.Response:
        """Orders that ended in the last 3 months, none without a fill."""
        now_ms = self._clock()

        def is_shown(order: Order) -> bool:
            return bool(order.fills) and now_ms - _ARCHIVED_MS < order.ended_ms <= now_ms

        return self._answer_orders(request.query, account, now_ms, is_shown)

    def _answer_orders(
        self,
        query: Mapping[str, str],
        account: SandboxAccount,
        now_ms: int,
        is_shown: Callable[[Order], bool],
    ) -> web.Response:
        cursor = _read_cursor(query)
        name = self._read_instrument(query, now_ms)
        from_ms = opened_ms(now_ms)
        page = cut_page(
            self._ledgers.of(account).orders.orders(now_ms),
            cursor,
            position=lambda order: order.id,
            time_ms=lambda order: order.created_ms,
            is_shown=lambda order: (
                order.created_ms >= from_ms and _fits_name(name, order) and is_shown(order)
            ),
            oldest_with_begin=True,
        )
        return reply(map(print_order, page))

    async def _fills_history(self, request: web.Request, account: SandboxAccount) -> web.Response:
        """Trades of the last 3 months, also those of orders that are live."""
        now_ms = self._clock()
        cursor = _read_cursor(request.query)
        name = self._read_instrument(request.query, now_ms)
        from_ms = opened_ms(now_ms)

        def is_shown(fill: Fill) -> bool:
            is_kept = now_ms - _ARCHIVED_MS < fill.booked_ms <= now_ms
            return is_kept and fill.order.created_ms >= from_ms and _fits_name(name, fill.order)

        page = cut_page(
            self._ledgers.of(account).orders.fills(now_ms),
            cursor,
            position=lambda fill: fill.bill_id,
            time_ms=lambda fill: fill.booked_ms,
            is_shown=is_shown,
        )
        return reply(map(print_fill, page))

    async def _deposits(self, request: web.Request, account: SandboxAccount) -> web.Response:
        now_ms = self._clock()
        page = self._cut_transfers(request.query, account, now_ms, "deposit")
        return reply(print_deposit(one, now_ms) for one in page)

    async def _withdrawals(self, request: web.Request, account: SandboxAccount) -> web.Response:
        now_ms = self._clock()
        page = self._cut_transfers(request.query, account, now_ms, "withdrawal")
        return reply(print_withdrawal(one, now_ms) for one in page)

    def _cut_transfers(
        self, query: Mapping[str, str], account: SandboxAccount, now_ms: int, kind: str
    ) -> list[Transfer]:
        cursor = _read_cursor(query)
        if self._swaps_time_cursors:
            cursor = replace(cursor, after=cursor.before, before=cursor.after)
        ccy = query.get("ccy") or None
        from_ms = opened_ms(now_ms)
        return cut_page(
            self._ledgers.of(account).transfers.transfers(now_ms),
            cursor,
            position=lambda one: one.time_ms,
            time_ms=lambda one: one.time_ms,
            is_shown=lambda one: (
                one.kind == kind and from_ms <= one.time_ms <= now_ms and ccy in (None, one.asset)
            ),
        )

    async def _bills(self, request: web.Request, account: SandboxAccount) -> web.Response:
        """Changes of the funding wallet, whatever made them, 30 s late."""
        now_ms = self._clock()
        query = request.query
        cursor = _read_cursor(query)
        paging = query.get("pagingType") or _BY_TIME
        if paging not in (_BY_TIME, _BY_ID):
            raise refuse_wrong("pagingType")
        ccy, bill_type = query.get("ccy") or None, query.get("type") or None
        from_ms = max(opened_ms(now_ms), _BILLS_BEGAN_MS)
        page = cut_page(
            self._ledgers.of(account).transfers.transfers(now_ms),
            cursor,
            position=lambda one: one.time_ms if paging == _BY_TIME else one.bill_id,
            time_ms=lambda one: one.time_ms,
            is_shown=lambda one: (
                from_ms <= one.time_ms <= now_ms - _BILLS_DELAY_MS
                and ccy in (None, one.asset)
                and bill_type in (None, one.bill_type)
            ),
        )
        return reply(map(print_bill, page))

    def _read_instrument(self, query: Mapping[str, str], now_ms: int) -> str | None:
        """The one pair that is asked for; None for all. Only spot is played."""
        kind = query.get("instType")
        if not kind:
            raise refuse_empty("instType")
        if kind not in _INSTRUMENT_TYPES:
            raise refuse_wrong("instType")
        name = query.get("instId")
        if name and (kind != "SPOT" or self._names.find(name, now_ms) is None):
            raise refuse_instrument()
        return (name or None) if kind == "SPOT" else ""


def _fits_name(name: str | None, order: Order) -> bool:
    return name in (None, order.pair.name)


def _read_cursor(query: Mapping[str, str]) -> LedgerCursor:
    limit = _read_number(query, "limit")
    if limit == 0:
        raise refuse_wrong("limit")
    return LedgerCursor(
        after=_read_number(query, "after"),
        before=_read_number(query, "before"),
        begin_ms=_read_number(query, "begin"),
        end_ms=_read_number(query, "end"),
        # More than the maximum gives the maximum; that the venue does so is not documented.
        limit=_MOST_ROWS if limit is None else min(limit, _MOST_ROWS),
    )


def _read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise refuse_wrong(name)
    return int(text)

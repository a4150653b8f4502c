"""Subscribed symbols by exchange: what work without symbols of its own is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.database import Database
from markethub.control.listing import check_search, contains, fetch_page, ordering
from markethub.control.schema import subscription
from markethub.domain.errors import InputError
from markethub.domain.symbol import Symbol

ORDER_FIELDS: dict[str, ColumnElement[Any]] = {
    "symbol": subscription.c.symbol,
    "exchange": subscription.c.exchange,
    "created_at": subscription.c.created_ms,
}
"""What ``order_by`` takes."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscribed symbol; ``created_ms`` is kept while it stays subscribed."""

    symbol: Symbol
    created_ms: int


@dataclass(frozen=True, slots=True)
class SubscriptionChanges:
    """What a replacement did; all three ascending, and none is in two."""

    added: list[Symbol]
    removed: list[Symbol]
    kept: list[Symbol]

    @property
    def symbols(self) -> list[Symbol]:
        """All that are subscribed now, ascending."""
        return sorted([*self.added, *self.kept])


async def replace_subscriptions(
    connection: AsyncConnection, exchange: str, symbols: Sequence[Symbol], now_ms: int
) -> SubscriptionChanges:
    """Make ``symbols`` the exchange's subscriptions, and no others; repeats count once.

    InputError, and nothing changed, if one is of another exchange.
    """
    for symbol in symbols:
        if symbol.venue != exchange:
            raise InputError(f"symbol {symbol} is not of exchange {exchange}")
    wanted = set(symbols)
    before = {one.symbol for one in await list_subscriptions(connection, [exchange])}
    changes = SubscriptionChanges(
        added=sorted(wanted - before), removed=sorted(before - wanted), kept=sorted(wanted & before)
    )
    if changes.removed:
        mine = subscription.c.exchange == exchange
        gone = subscription.c.symbol.in_([str(symbol) for symbol in changes.removed])
        await connection.execute(delete(subscription).where(mine, gone))
    if changes.added:
        rows = [
            {"exchange": exchange, "symbol": str(symbol), "created_ms": now_ms} for symbol in changes.added
        ]
        await connection.execute(insert(subscription), rows)
    return changes


async def list_subscriptions(
    connection: AsyncConnection, exchanges: Sequence[str] | None = None
) -> list[Subscription]:
    """The subscriptions of these exchanges (None: of all), by exchange and symbol."""
    statement = select(subscription)
    if exchanges is not None:
        statement = statement.where(subscription.c.exchange.in_(exchanges))
    rows = await connection.execute(statement)
    found = [Subscription(Symbol.parse(row.symbol), row.created_ms) for row in rows]
    return sorted(found, key=lambda one: one.symbol)  # here: the databases' collations differ


async def page_subscriptions(
    connection: AsyncConnection,
    *,
    exchange: str | None = None,
    search: str | None = None,
    order_by: str = "symbol",
    order_desc: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[Subscription], int]:
    """One window of the matching subscriptions, and how many match; ``search`` is part of a symbol's name."""
    where: list[ColumnElement[bool]] = []
    if exchange is not None:
        where.append(subscription.c.exchange == exchange)
    if search:
        where.append(contains(subscription.c.symbol, check_search(search)))
    order = ordering(ORDER_FIELDS, order_by, descending=order_desc, tie=subscription.c.id)
    rows, total = await fetch_page(
        connection, select(subscription), where=where, order=order, limit=limit, offset=offset
    )
    return [Subscription(Symbol.parse(row.symbol), row.created_ms) for row in rows], total


async def count_subscriptions(connection: AsyncConnection) -> dict[str, int]:
    """How many symbols are subscribed, by exchange; those without any are not there."""
    statement = select(subscription.c.exchange, func.count().label("symbols")).group_by(
        subscription.c.exchange
    )
    return {row.exchange: row.symbols for row in await connection.execute(statement)}


class StoredSubscriptions:
    """The Subscriptions of the control database, read anew at every call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def symbols(self, exchanges: Sequence[str] | None = None) -> list[Symbol]:
        """Those of these exchanges (None: of all), ascending, each once; none is an empty list."""
        statement = select(subscription.c.symbol)
        if exchanges is not None:
            statement = statement.where(subscription.c.exchange.in_(exchanges))
        async with self._database.read() as connection:
            texts = (await connection.execute(statement)).scalars().all()
        return sorted(map(Symbol.parse, texts), key=lambda symbol: (symbol.venue, symbol.instrument))

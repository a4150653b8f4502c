"""Subscribed symbols by exchange: what a backfill without symbols means."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import subscription
from markethub.domain.errors import InputError
from markethub.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscribed symbol; ``created_ms`` is kept while it stays subscribed."""

    symbol: Symbol
    created_ms: int


async def replace_subscriptions(
    connection: AsyncConnection, exchange: str, symbols: Sequence[Symbol], now_ms: int
) -> None:
    """Make ``symbols`` the exchange's subscriptions, and no others; repeats count once.

    InputError, and nothing changed, if one is of another exchange.
    """
    for symbol in symbols:
        if symbol.venue != exchange:
            raise InputError(f"symbol {symbol} is not of exchange {exchange}")
    wanted = {str(symbol) for symbol in symbols}
    kept = {str(one.symbol) for one in await list_subscriptions(connection, [exchange])}
    mine = subscription.c.exchange == exchange
    if gone := kept - wanted:
        await connection.execute(delete(subscription).where(mine, subscription.c.symbol.in_(sorted(gone))))
    new = [
        {"exchange": exchange, "symbol": text, "created_ms": now_ms}
        for text in dict.fromkeys(map(str, symbols))
        if text not in kept
    ]
    if new:
        await connection.execute(insert(subscription), new)


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

"""How the subscriptions of each exchange were chosen, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import subscription_rule
from markethub.control.values import decode_object, encode_object
from markethub.domain.subscription import Source, SubscriptionRule


@dataclass(frozen=True, slots=True)
class StoredChoice:
    """The choice in force for an exchange: a rule, or names where ``rule`` is None.

    ``configured`` is the text of what the configuration last said, None for nothing. A rule that has not
    chosen yet has no ``resolved_ms``: what was subscribed before it still is.
    """

    exchange: str
    rule: SubscriptionRule | None
    configured: str | None
    source: Source
    updated_ms: int
    resolved_ms: int | None


async def list_choices(
    connection: AsyncConnection, exchanges: Sequence[str] | None = None
) -> list[StoredChoice]:
    """The choices for these exchanges (None: for all) that have one, ascending by exchange."""
    statement = select(subscription_rule)
    if exchanges is not None:
        statement = statement.where(subscription_rule.c.exchange.in_(exchanges))
    found = [_choice(row) for row in await connection.execute(statement)]
    return sorted(found, key=lambda choice: choice.exchange)


async def set_choice(
    connection: AsyncConnection,
    exchange: str,
    rule: SubscriptionRule | None,
    source: Source,
    *,
    now_ms: int,
    resolved_ms: int | None,
) -> None:
    """Put a rule, or names (None), in force; what the configuration last said stays as it is.

    The row is locked until the transaction ends: whoever sets the same exchange meanwhile comes after. Each
    choice has a later ``updated_ms`` than the one before it, whatever the clock says.
    """
    values = {
        "rule": None if rule is None else encode_object(rule.to_json(), "rule"),
        "source": source.value,
        "updated_ms": now_ms,
        "resolved_ms": resolved_ms,
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    before = subscription_rule.c.updated_ms
    later_ms = case((before < now_ms, now_ms), else_=before + 1)
    await connection.execute(
        dialect.insert(subscription_rule)
        .values(exchange=exchange, **values)
        .on_conflict_do_update(index_elements=["exchange"], set_={**values, "updated_ms": later_ms})
    )


async def note_configured(connection: AsyncConnection, exchange: str, configured: str | None) -> None:
    """Remember what the configuration says of an exchange that has a choice."""
    mine = subscription_rule.c.exchange == exchange
    await connection.execute(update(subscription_rule).where(mine).values(configured=configured))


async def note_resolved(connection: AsyncConnection, choice: StoredChoice, now_ms: int) -> bool:
    """Note that the rule of ``choice`` has chosen; False, and nothing noted, where another one is in force.

    As in ``set_choice`` the row is locked then.
    """
    columns = subscription_rule.c
    still = (columns.exchange == choice.exchange) & (columns.updated_ms == choice.updated_ms)
    done = await connection.execute(update(subscription_rule).where(still).values(resolved_ms=now_ms))
    return bool(done.rowcount)


async def forget_choice(connection: AsyncConnection, exchange: str) -> None:
    """Leave the exchange as if nobody had ever chosen for it; its symbols are another table's."""
    await connection.execute(delete(subscription_rule).where(subscription_rule.c.exchange == exchange))


def _choice(row: Row[Any]) -> StoredChoice:
    return StoredChoice(
        exchange=row.exchange,
        rule=None if row.rule is None else SubscriptionRule.parse(decode_object(row.rule)),
        configured=row.configured,
        source=Source(row.source),
        updated_ms=row.updated_ms,
        resolved_ms=row.resolved_ms,
    )

"""Which instruments are subscribed, and how that is chosen.

Of the configuration's word and a caller's the newer one counts. What the configuration says of an exchange
counts again only when it says something else than last time, so that what a caller has set since survives
restarts and reloads. Taken out of the configuration, an exchange loses what the configuration had chosen,
and keeps what a caller has set.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control import subscriptions
from markethub.control.audit import insert_audit
from markethub.control.database import Database
from markethub.control.subscription_choices import (
    StoredChoice,
    forget_choice,
    list_choices,
    note_configured,
    set_choice,
)
from markethub.control.subscriptions import Subscription as Subscription  # noqa: PLC0414  (doors take it from here)
from markethub.control.subscriptions import SubscriptionChanges
from markethub.control.values import encode_json
from markethub.domain.errors import InputError, UnavailableError, VenueError
from markethub.domain.subscription import Choice, Source, SubscriptionRule, write_choice
from markethub.domain.support import DataKind, check_support
from markethub.domain.symbol import Symbol, parse_root_symbol
from markethub.jobs.asking import asking
from markethub.jobs.subscription_rules import Chosen, ask_for_rule
from markethub.ports.records import RecordQuery
from markethub.ports.venue import MarketSource, Venue
from markethub.services.caller import name_act
from markethub.services.hub import Hub
from markethub.services.page import Page
from markethub.tables.symbols import SYMBOLS

RESOLVE_TIMEOUT_S = 20.0
"""How long an exchange may take to answer for a rule while a caller waits."""
ASKER = "subscriptions"
_NAMED = 5

_log = structlog.get_logger("markethub.subscriptions")


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """The choice in force for an exchange, and how many symbols are subscribed by it."""

    choice: StoredChoice
    count: int


@dataclass(frozen=True, slots=True)
class SubscriptionList:
    """A page of subscribed symbols, and the exchanges that anybody ever chose for, ascending."""

    page: Page[Subscription]
    exchanges: list[ExchangeState]


@dataclass(frozen=True, slots=True)
class SubscriptionUpdate:
    """An exchange after a change, and what came and went by it."""

    state: ExchangeState
    changes: SubscriptionChanges


async def list_subscriptions(
    hub: Hub,
    *,
    exchange: str | None = None,
    search: str | None = None,
    limit: int = 50,
    offset: int = 0,
    order_by: str = "symbol",
    order_desc: bool = False,
) -> SubscriptionList:
    """The subscribed symbols by name, of one exchange or of all; ``search`` is part of a name."""
    if exchange is not None:
        check_support([exchange], DataKind.KLINE, hub.support)
    async with hub.database.read() as connection:
        rows, total = await subscriptions.page_subscriptions(
            connection,
            exchange=exchange,
            search=search,
            order_by=order_by,
            order_desc=order_desc,
            limit=limit,
            offset=offset,
        )
        counts = await subscriptions.count_subscriptions(connection)
        choices = await list_choices(connection, None if exchange is None else [exchange])
    states = [ExchangeState(choice, counts.get(choice.exchange, 0)) for choice in choices]
    return SubscriptionList(Page(rows, total, limit, offset), states)


async def set_symbols(hub: Hub, exchange: str, symbols: Sequence[str]) -> SubscriptionUpdate:
    """Subscribe to these symbols of the exchange, ``BTC_USDT`` or ``BTC_USDT.BNC``, and to no others.

    None at all is allowed. InputError names those that the stored listing of the exchange does not have in
    force. Where no listing is stored, as on a fresh install, names are taken as they are: a hub can be set up
    while the exchange is away, and work on a symbol that is not listed says so.
    """
    hub.node.reign.require_write()
    check_support([exchange], DataKind.KLINE, hub.support)
    wanted = sorted({_parse_symbol(exchange, text) for text in symbols})
    await _check_listed(hub, exchange, wanted)
    return await _set(hub, exchange, None, wanted)


async def set_rule(hub: Hub, exchange: str, rule: SubscriptionRule) -> SubscriptionUpdate:
    """Subscribe to what ``rule`` chooses on the exchange at this moment, and let it choose anew every day.

    It begins afresh: nothing stays in because it was in before. Nothing is changed when it fails.

    Raises:
        InputError: it chooses nothing, or its include names what the exchange does not list.
        UnavailableError: the exchange does not answer, or not within RESOLVE_TIMEOUT_S.
    """
    hub.node.reign.require_write()
    check_support([exchange], DataKind.KLINE, hub.support)
    chosen = await _ask(find_market(hub.venues, exchange), exchange, rule)
    if chosen.unlisted:
        raise InputError(f"{exchange} does not list {_name_some(chosen.unlisted)} of include")
    if not chosen.symbols:
        raise InputError(
            f"the rule ({rule}) chooses nothing: no instrument in {rule.quote} trades on {exchange}"
        )
    return await _set(hub, exchange, rule, chosen.symbols)


def find_market(venues: Mapping[str, Venue], exchange: str) -> MarketSource:
    """What the exchange shows everyone; InputError where no adapter of ours can ask it."""
    venue = venues.get(exchange)
    if venue is None or venue.market is None:
        raise InputError(f"exchange {exchange} has no adapter that lists instruments; name symbols instead")
    return venue.market


async def apply_configured(database: Database, configured: Mapping[str, Choice], now_ms: int) -> None:
    """Take over what the configuration says by exchange, where it says something else than last time.

    Called at start and when the configuration is read again. A rule is stored without asking anybody: what
    was subscribed stays until ``resolve_pending`` has had an answer.
    """
    async with database.begin(durable=True) as connection:
        choices = {choice.exchange: choice for choice in await list_choices(connection)}
        present = await subscriptions.count_subscriptions(connection)
        for exchange in sorted({*configured, *choices, *present}):
            choice, before = configured.get(exchange), choices.get(exchange)
            if await _apply(connection, exchange, choice, before, now_ms):
                told = None if choice is None else write_choice(choice)
                details = {"configured": told}
                await insert_audit(connection, name_act("subscription.configure"), exchange, details, now_ms)
                _log.info("subscriptions taken from the configuration", exchange=exchange, configured=told)


async def _apply(
    connection: AsyncConnection,
    exchange: str,
    choice: Choice | None,
    before: StoredChoice | None,
    now_ms: int,
) -> bool:
    """Whether anything was changed."""
    text = None if choice is None else encode_json(write_choice(choice), "subscriptions")
    if before is not None and text == before.configured:
        return False
    if choice is None:
        if before is not None and before.source is Source.API:
            await note_configured(connection, exchange, None)
            return False
        # Chosen by the configuration; by that of an older release where there is no row.
        await subscriptions.replace_subscriptions(connection, exchange, [], now_ms)
        await forget_choice(connection, exchange)
        return True
    rule = choice if isinstance(choice, SubscriptionRule) else None
    await set_choice(connection, exchange, rule, Source.CONFIG, now_ms=now_ms, resolved_ms=None)
    await note_configured(connection, exchange, text)
    if not isinstance(choice, SubscriptionRule):
        symbols = [Symbol(exchange, root) for root in choice]
        await subscriptions.replace_subscriptions(connection, exchange, symbols, now_ms)
    return True


async def _ask(market: MarketSource, exchange: str, rule: SubscriptionRule) -> Chosen:
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            with asking(ASKER, is_fresh=True):
                return await ask_for_rule(market, exchange, rule, before=())
    except TimeoutError as error:
        raise UnavailableError(
            f"{exchange} did not answer within {RESOLVE_TIMEOUT_S:g} s; nothing was changed"
        ) from error
    except VenueError as error:
        raise UnavailableError(
            f"the rule cannot be resolved now, and nothing was changed: {error}"
        ) from error


async def _set(
    hub: Hub, exchange: str, rule: SubscriptionRule | None, symbols: Sequence[Symbol]
) -> SubscriptionUpdate:
    async with hub.database.begin(durable=True) as connection:
        now_ms = hub.clock()
        resolved_ms = None if rule is None else now_ms
        await set_choice(connection, exchange, rule, Source.API, now_ms=now_ms, resolved_ms=resolved_ms)
        changes = await subscriptions.replace_subscriptions(connection, exchange, symbols, now_ms)
        details: dict[str, Any] = {
            "rule": None if rule is None else rule.to_json(),
            "count": len(symbols),
            "added": [str(symbol) for symbol in changes.added],
            "removed": [str(symbol) for symbol in changes.removed],
        }
        await insert_audit(connection, name_act("subscription.set"), exchange, details, now_ms)
        [choice] = await list_choices(connection, [exchange])
    return SubscriptionUpdate(ExchangeState(choice, len(changes.symbols)), changes)


def _parse_symbol(exchange: str, text: str) -> Symbol:
    if "." not in text:
        return Symbol(exchange, parse_root_symbol(text))
    symbol = Symbol.parse(text)
    if symbol.venue != exchange:
        raise InputError(f"symbol {symbol} is not of exchange {exchange}")
    return symbol


async def _check_listed(hub: Hub, exchange: str, symbols: Sequence[Symbol]) -> None:
    newest = RecordQuery(ends_with={"symbol": f".{exchange}"}, latest_by=["symbol"])
    versions = await asyncio.to_thread(hub.records.read_records, SYMBOLS, newest)
    if not len(versions):
        return
    listed = set(versions.filter(versions.column("seen_until").is_null()).column("symbol").to_pylist())
    if unknown := [str(symbol) for symbol in symbols if str(symbol) not in listed]:
        raise InputError(
            f"{exchange} does not list {_name_some(unknown)}, says its stored listing; "
            "if that is out of date, backfill symbols first"
        )


def _name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

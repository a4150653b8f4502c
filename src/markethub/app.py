"""Put the parts together: the only place that knows which stores and venues there are."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from markethub.config import Settings
from markethub.control.audit import Act
from markethub.control.budgets import ControlBudgetPool
from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec
from markethub.control.ownership import claim_ownership
from markethub.domain.errors import InputError
from markethub.domain.support import ACCOUNT_KINDS, SUPPORT, DataKind, Support
from markethub.domain.symbol import Account, is_stock_market
from markethub.duties import Duties
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from markethub.engine.settings import EngineSettings
from markethub.group import open_node
from markethub.job_book import configure_jobs
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.default_jobs import default_jobs
from markethub.jobs.handlers import create_handlers
from markethub.jobs.job_parameters import PARAMETERS, check_parameters
from markethub.keys import ConfiguredKeys
from markethub.maintenance import maintained
from markethub.ports.budget import BudgetPool
from markethub.ports.clock import Clock, system_clock
from markethub.ports.store import SeriesStore
from markethub.ports.venue import Venue, VenueFactory
from markethub.replication.upkeep import forget_old
from markethub.services.accounts import AccountBook
from markethub.services.caller import name_act
from markethub.services.hub import BatchLimits, Hub
from markethub.services.pending_rules import resolve_pending
from markethub.services.schedules import apply_jobs
from markethub.services.subscriptions import apply_configured
from markethub.stores.duckdb import DuckdbSeriesStore, open_duckdb_store

VENUE_GROUP = "markethub.venues"

_DESCRIPTIONS = {
    DataKind.KLINE: "Backfill klines on request",
    DataKind.SYMBOL: "Update listings on request",
    DataKind.BALANCE: "Take a snapshot of balances on request",
    DataKind.ORDER: "Backfill orders on request",
    DataKind.FILL: "Backfill fills on request",
    DataKind.TRANSFER: "Backfill deposits, withdrawals and internal moves on request",
    DataKind.ORDERBOOK: "Take a snapshot of order books on request",
    DataKind.TICKER: "Take a snapshot of tickers on request",
}

JOBS = tuple(
    JobSpec(
        name=kind.backfill_job,
        job_type=kind,
        job_category="backfill",
        description=description,
        max_instances=100,
    )
    for kind, description in _DESCRIPTIONS.items()
)


def open_store(path: str | Path, *, read_only: bool = True) -> SeriesStore:
    """Open the store of a data folder (or a store file) in this process, without a server.

    NotFoundError where there is none; StoreLockedError, saying what to do, while a server holds it.
    """
    place = Path(path)
    return open_duckdb_store(place / "market.duckdb" if place.is_dir() else place, read_only=read_only)


def load_venues(options: Mapping[str, Mapping[str, str]], pool: BudgetPool | None = None) -> dict[str, Venue]:
    """One venue per entry point of the group ``markethub.venues``, with its options from the settings.

    Without a ``pool`` the venues' budgets are this process's own.
    """
    factories = {point.name: point for point in entry_points(group=VENUE_GROUP)}
    for code in options:
        if code not in factories:
            known = ", ".join(sorted(factories))
            raise InputError(f"setting venues.{code}: no adapter for it is installed; there are {known}")
    return {
        code: cast("VenueFactory", point.load())(options.get(code, {}), pool)
        for code, point in factories.items()
    }


def open_accounts(settings: Settings, venues: Mapping[str, Venue]) -> AccountAccess:
    """The configured accounts on ``venues``; InputError names one whose exchange has no account data for us.

    No key is read yet.
    """
    keys = ConfiguredKeys.of(settings.accounts)
    support = _support(venues)
    for account in keys.accounts():
        if not support.get(account.venue, frozenset()) & ACCOUNT_KINDS:
            able = ", ".join(code for code, kinds in support.items() if kinds & ACCOUNT_KINDS)
            raise InputError(
                f"setting accounts.{account}: exchange {account.venue} has no account data; those that have "
                f"it are {able}"
            )
    return AccountAccess(venues, keys)


@asynccontextmanager
async def open_hub(
    settings: Settings, clock: Clock = system_clock, *, port: int | None = None
) -> AsyncIterator[Hub]:
    """Open every part, do what the node's role is, and close all of it in the right order at the end.

    ``port`` is the one that the node is bound to, where the settings leave it open.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        store = await asyncio.to_thread(
            open_duckdb_store,
            settings.store_path,
            memory_limit_mb=settings.store.memory_limit_mb,
            threads=settings.store.threads,
        )
        stack.push_async_callback(asyncio.to_thread, store.close)
        database = await open_database(settings.control_url)
        stack.push_async_callback(database.close)
        await _own(database, store, settings)
        node = await open_node(settings, store, database, clock, port=port or settings.server.port)
        if node.link is not None:
            stack.push_async_callback(node.link.close)
        pool = ControlBudgetPool(database)
        stack.push_async_callback(pool.close)
        venues = load_venues(settings.venues, pool)
        for venue in venues.values():
            stack.push_async_callback(venue.close)
        access = open_accounts(settings, venues)
        handlers = create_handlers(venues=venues, access=access, database=database, store=store, clock=clock)
        support = _support(venues)
        jobs = _node_jobs(settings, handlers, access.accounts(), support, venues)
        await _mirror_settings(database, settings, jobs)
        engine = Engine(database, handlers, _engine_settings(settings))
        await stack.enter_async_context(
            maintained(
                partial(asyncio.to_thread, store.maintain),
                partial(forget_old, node, database, settings.node.keep_revisions, clock),
            )
        )
        scheduler = Scheduler(database, engine) if settings.scheduler.enabled else None
        duties = Duties(node, engine, scheduler, partial(resolve_pending, database, venues, clock))
        stack.push_async_callback(duties.drain)
        await duties.start()
        yield Hub(
            store=store,
            records=store.records,
            database=database,
            engine=engine,
            venues=venues,
            accounts=AccountBook(access, clock),
            support=support,
            clock=clock,
            node=node,
            max_read_rows=settings.store.max_read_rows,
            backfill_timeout_s=settings.workers.backfill_timeout_s,
            scheduler=scheduler,
            batch_limits=BatchLimits(settings.dms.max_read_symbols, settings.dms.max_read_rows),
        )


def _engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        concurrency=settings.workers.concurrency,
        lease_s=settings.workers.lease_s,
        max_attempts=settings.workers.max_attempts,
        grace_s=settings.server.drain_s,
    )


async def _own(database: Database, store: DuckdbSeriesStore, settings: Settings) -> None:
    # A control database that lies in the data folder goes with whatever store lies there.
    is_shared = settings.control.shared or settings.control.url is None
    place = f"{socket.gethostname()}:{settings.store_path}"
    async with database.begin(durable=True) as connection:
        await claim_ownership(
            connection, store.replica.store_id, place, database.clock(), is_shared=is_shared
        )


async def apply_settings(hub: Hub, settings: Settings) -> list[str]:
    """Give a running hub the jobs and subscriptions of ``settings``; return the jobs disabled thereby.

    InputError, and all is as before, where they are wrong.
    """
    jobs = _node_jobs(settings, hub.engine.handlers, hub.accounts.accounts(), hub.support, hub.venues)
    disabled = await _mirror_settings(hub.database, settings, jobs, name_act("configuration.reload"))
    if hub.scheduler is not None:
        hub.scheduler.wake()
    return disabled


def _node_jobs(
    settings: Settings,
    handlers: Collection[str],
    accounts: Sequence[Account],
    support: Support,
    venues: Mapping[str, Venue],
) -> list[JobSpec]:
    configured = configure_jobs(
        settings.jobs,
        default_jobs(accounts),
        PARAMETERS.keys() & handlers,
        partial(check_parameters, support={**support, **_stock_support(venues)}),
        all_defaults=settings.scheduler.default_jobs,
    )
    return [*JOBS, *configured]


async def _mirror_settings(
    database: Database, settings: Settings, jobs: Sequence[JobSpec], act: Act | None = None
) -> list[str]:
    disabled = await apply_jobs(database, jobs, act)
    await apply_configured(database, settings.subscriptions, database.clock())
    return disabled


def _support(venues: Mapping[str, Venue]) -> Support:
    """What can be backfilled on request; stocks, whose codes have two letters, are kept by DMS."""
    others = {
        code: venue.kinds
        for code, venue in venues.items()
        if code not in SUPPORT and not is_stock_market(code)
    }
    return SUPPORT | others


def _stock_support(venues: Mapping[str, Venue]) -> Support:
    """What scheduled jobs may name besides."""
    return {code: venue.kinds for code, venue in venues.items() if is_stock_market(code)}

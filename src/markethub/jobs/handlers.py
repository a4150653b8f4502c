"""Every job there is, by name, with what runs it."""

from collections.abc import Mapping

from markethub.control.database import Database
from markethub.control.retention import CleanedAudit, CleanedExecutions, CleanedLines
from markethub.control.subscriptions import StoredSubscriptions
from markethub.domain.support import LEDGER_KINDS, DataKind
from markethub.engine.handler import Handler
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.balance_backfill import BalanceBackfillHandler
from markethub.jobs.cleanup import CleanupHandler
from markethub.jobs.default_jobs import CLEANUP_BOUNDS
from markethub.jobs.gap_monitor import GapMonitorHandler
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_sync import KlineSyncHandler
from markethub.jobs.ledger_backfill import LedgerBackfillHandler
from markethub.jobs.ledger_sync import LedgerSyncHandler
from markethub.jobs.market_snapshots import OrderbookBackfillHandler, TickerBackfillHandler
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.subscription_refresh import SubscriptionRefreshHandler
from markethub.jobs.symbol_backfill import SymbolBackfillHandler
from markethub.jobs.sync_targets import SyncTargets
from markethub.jobs.target_sync import TargetSyncHandler
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.ports.venue import Venue


def create_handlers(
    *,
    venues: Mapping[str, Venue],
    access: AccountAccess,
    database: Database,
    store: DataStore,
    clock: Clock,
) -> dict[str, Handler]:
    """What runs the jobs of each category and type."""
    records = store.records
    klines = KlineBackfillHandler(venues, store, clock, Quarantine(records, clock))
    handlers: dict[DataKind, Handler] = {
        DataKind.KLINE: klines,
        DataKind.SYMBOL: SymbolBackfillHandler(venues, records, clock),
        DataKind.TICKER: TickerBackfillHandler(venues, records, clock),
        DataKind.ORDERBOOK: OrderbookBackfillHandler(venues, records, clock),
        DataKind.BALANCE: BalanceBackfillHandler(access, records, clock),
    }
    targets = SyncTargets(venues, StoredSubscriptions(database), access)
    syncs: dict[DataKind, Handler] = {
        kind: TargetSyncHandler(kind, targets, handler) for kind, handler in handlers.items()
    }
    syncs[DataKind.KLINE] = KlineSyncHandler(targets, klines)
    for kind in LEDGER_KINDS:
        ledger = LedgerBackfillHandler(kind, access, records, clock)
        handlers[kind], syncs[kind] = ledger, LedgerSyncHandler(targets, ledger)
    return {
        **{kind.backfill_job: handler for kind, handler in handlers.items()},
        **{f"sync_{kind}": handler for kind, handler in syncs.items()},
        "monitor_gap": GapMonitorHandler(targets, klines),
        "sync_subscription": SubscriptionRefreshHandler(venues, database, clock),
        "cleanup_execution": CleanupHandler(CleanedExecutions(database), CLEANUP_BOUNDS["execution"], clock),
        "cleanup_log": CleanupHandler(CleanedLines(database), CLEANUP_BOUNDS["log"], clock),
        "cleanup_audit": CleanupHandler(CleanedAudit(database), CLEANUP_BOUNDS["audit"], clock),
    }

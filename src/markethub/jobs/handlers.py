"""Every job there is, by name, with what runs it."""

from collections.abc import Mapping

from markethub.domain.support import LEDGER_KINDS, DataKind
from markethub.engine.handler import Handler
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.balance_backfill import BalanceBackfillHandler
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.ledger_backfill import LedgerBackfillHandler
from markethub.jobs.market_snapshots import OrderbookBackfillHandler, TickerBackfillHandler
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.symbol_backfill import SymbolBackfillHandler
from markethub.ports.clock import Clock
from markethub.ports.records import RecordStore
from markethub.ports.store import SeriesStore
from markethub.ports.venue import Venue


def create_handlers(
    *,
    venues: Mapping[str, Venue],
    access: AccountAccess,
    store: SeriesStore,
    records: RecordStore,
    clock: Clock,
) -> dict[str, Handler]:
    """The handler of each kind's backfill, by category and type of its jobs."""
    handlers: dict[DataKind, Handler] = {
        DataKind.KLINE: KlineBackfillHandler(venues, store, clock, Quarantine(records, clock)),
        DataKind.SYMBOL: SymbolBackfillHandler(venues, records, clock),
        DataKind.TICKER: TickerBackfillHandler(venues, records, clock),
        DataKind.ORDERBOOK: OrderbookBackfillHandler(venues, records, clock),
        DataKind.BALANCE: BalanceBackfillHandler(access, records, clock),
    }
    for kind in LEDGER_KINDS:
        handlers[kind] = LedgerBackfillHandler(kind, access, records, clock)
    return {kind.backfill_job: handler for kind, handler in handlers.items()}

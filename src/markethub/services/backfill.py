"""Queue backfills.

Each takes the caller's ``request_key``, if it has one, and stores it with the execution;
``request_keys.queue_once`` answers the one that comes twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markethub.control.request_keys import RequestKey
from markethub.domain.errors import InputError
from markethub.domain.execution import new_trace_id
from markethub.domain.interval import Interval
from markethub.domain.support import LEDGER_KINDS, DataKind, venues_with
from markethub.engine.handler import NewExecution
from markethub.jobs.kline_plan import KlineBackfill
from markethub.jobs.ledger_plan import LedgerBackfill
from markethub.services.hub import Hub
from markethub.services.targets import (
    check_end,
    check_exchanges,
    check_span,
    parse_roots,
    resolve_accounts,
    resolve_symbols,
)

DEEPEST_BOOK = 1000


@dataclass(frozen=True, slots=True)
class Queued:
    """A committed request; its execution runs on its own."""

    execution_id: int
    trace_id: str
    status: str
    message: str


async def queue_kline_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    intervals: Sequence[str],
    start_ms: int,
    end_ms: int | None,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a kline backfill and wake the workers; InputError names what is wrong with the request.

    ``symbols`` win over ``exchanges``; without symbols it is every subscribed one of the exchanges (all that
    support klines when none is named). A future end is clamped to now.
    """
    wanted = await resolve_symbols(hub, DataKind.KLINE, exchanges, symbols)
    if not intervals:
        raise InputError(f"intervals must name at least one of {', '.join(Interval)}")
    backfill = KlineBackfill(
        symbols=tuple(wanted),
        intervals=tuple(dict.fromkeys(Interval.parse(text) for text in intervals)),
        span=check_span(start_ms, end_ms, hub.clock()),
    )
    venues = {symbol.venue for symbol in wanted}
    return await _queue(
        hub, DataKind.KLINE, backfill.to_parameters(), request_key, exchanges=len(venues), symbols=len(wanted)
    )


async def queue_symbol_backfill(
    hub: Hub, *, exchanges: Sequence[str], request_key: RequestKey | None = None
) -> Queued:
    """Commit an update of the listings of ``exchanges``; InputError names what is wrong with them."""
    if not exchanges:
        raise InputError(
            f"exchanges must name at least one of {', '.join(venues_with(DataKind.SYMBOL, hub.support))}"
        )
    named = check_exchanges(hub, DataKind.SYMBOL, exchanges) or []
    return await _queue(hub, DataKind.SYMBOL, {"exchanges": named}, request_key, exchanges=len(named))


async def queue_ticker_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of tickers; symbols are chosen as for klines."""
    wanted = await resolve_symbols(hub, DataKind.TICKER, exchanges, symbols)
    venues = list(dict.fromkeys(symbol.venue for symbol in wanted))
    parameters = {"exchanges": venues, "symbols": [str(symbol) for symbol in wanted]}
    return await _queue(
        hub, DataKind.TICKER, parameters, request_key, exchanges=len(venues), symbols=len(wanted)
    )


async def queue_orderbook_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    limit: int,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of order books with at most ``limit`` (1 to 1000) levels a side; symbols are chosen
    as for klines."""
    if not 1 <= limit <= DEEPEST_BOOK:
        raise InputError(f"limit {limit} is not between 1 and {DEEPEST_BOOK}")
    wanted = await resolve_symbols(hub, DataKind.ORDERBOOK, exchanges, symbols)
    venues = list(dict.fromkeys(symbol.venue for symbol in wanted))
    parameters = {"exchanges": venues, "symbols": [str(symbol) for symbol in wanted], "limit": limit}
    return await _queue(
        hub,
        DataKind.ORDERBOOK,
        parameters,
        request_key,
        exchanges=len(venues),
        symbols=len(wanted),
        limit=limit,
    )


async def queue_balance_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    accounts: Sequence[str],
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of the balances of ``accounts``, all of which must be configured."""
    wanted = resolve_accounts(hub, DataKind.BALANCE, exchanges, accounts)
    venues = list(dict.fromkeys(account.venue for account in wanted))
    parameters = {"exchanges": venues, "accounts": [str(account) for account in wanted]}
    return await _queue(
        hub, DataKind.BALANCE, parameters, request_key, exchanges=len(venues), accounts=len(wanted)
    )


async def queue_ledger_backfill(
    hub: Hub,
    kind: DataKind,
    *,
    exchanges: Sequence[str] | None,
    accounts: Sequence[str] | None,
    symbols: Sequence[str] | None,
    start_ms: int | None,
    end_ms: int | None,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a backfill of orders, fills or transfers.

    Exchanges alone mean all their configured accounts. ``symbols`` are root symbols (``BTC_USDT``), and go
    with orders and fills only. Without a start it is as far back as the exchange tells; a future end is
    clamped to now.
    """
    if kind not in LEDGER_KINDS:
        raise InputError(f"kind {kind} is not one of {', '.join(LEDGER_KINDS)}")
    if kind is DataKind.TRANSFER and symbols is not None:
        raise InputError("symbols does not go with transfers: money moves by asset, not by instrument")
    wanted = resolve_accounts(hub, kind, exchanges, accounts)
    now_ms = hub.clock()
    end = check_end(end_ms, now_ms) if start_ms is None else check_span(start_ms, end_ms, now_ms).end_ms
    backfill = LedgerBackfill(tuple(wanted), tuple(parse_roots(symbols)), start_ms, end)
    counts: dict[str, int | str] = {
        "exchanges": len({account.venue for account in wanted}),
        "accounts": len(wanted),
    }
    if kind is not DataKind.TRANSFER:
        counts["symbols"] = len(backfill.roots) or "all"
    return await _queue(hub, kind, backfill.to_parameters(), request_key, **counts)


async def _queue(
    hub: Hub,
    kind: DataKind,
    parameters: Mapping[str, object],
    request_key: RequestKey | None,
    **counts: int | str,
) -> Queued:
    told = " | ".join(f"{name}={count}" for name, count in counts.items())
    message = f"{kind.value.capitalize()} backfill queued | {told}"
    trace_id = new_trace_id(kind.backfill_job)
    execution_id = await hub.engine.enqueue(
        NewExecution(
            job_name=kind.backfill_job,
            parameters=parameters,
            trace_id=trace_id,
            message=message,
            timeout_s=hub.backfill_timeout_s,
            request_key=request_key,
        )
    )
    return Queued(execution_id, trace_id, "queued", message)

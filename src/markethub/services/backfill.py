"""Queue backfills.

Each takes the caller's ``request_key``, if it has one, and stores it with the execution;
``request_keys.queue_once`` answers the one that comes twice. Each takes ``extras``, what a caller may want
beyond the usual; with ``dry_run`` among them nothing is queued.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from markethub.control.request_keys import RequestKey
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.errors import InputError
from markethub.domain.execution import new_trace_id
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import LEDGER_KINDS, DataKind, venues_with
from markethub.domain.symbol import Symbol
from markethub.engine.handler import NewExecution
from markethub.jobs.choice import Choice
from markethub.jobs.kline_plan import KlineBackfill
from markethub.jobs.ledger_plan import LedgerBackfill
from markethub.services.caller import name_act
from markethub.services.dry_run import DryRun, foresee_backfill
from markethub.services.failed_work import failed_within, find_failed
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
HIGHEST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Queued:
    """A committed request; its execution runs on its own. One that was only planned has its ``plan``, the
    id 0 and no trace id."""

    execution_id: int
    trace_id: str
    status: str
    message: str
    plan: DryRun | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a caller may want of any backfill; higher ``priority`` (-100 to 100) runs first.

    With mode ``all`` what is stored is asked for again, with ``failed`` only what failed in the newest
    backfills of the kind. Snapshots are always taken anew: for them ``all`` is the same as ``missing``.
    """

    mode: BackfillMode = BackfillMode.MISSING
    priority: int = 0
    dry_run: bool = False

    def __post_init__(self) -> None:
        if abs(self.priority) > HIGHEST_PRIORITY:
            raise InputError(
                f"priority {self.priority} is not between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}"
            )


USUAL = Extras()


async def queue_kline_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    intervals: Sequence[str],
    start_ms: int,
    end_ms: int | None,
    extras: Extras = USUAL,
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
    names = ((str(series), str(series.symbol)) for series in backfill.series())
    choice = await _choose(hub, DataKind.KLINE, extras, names, backfill.span)
    parameters = replace(backfill, choice=choice).to_parameters()
    counts = {"exchanges": len({symbol.venue for symbol in wanted}), "symbols": len(wanted)}
    order = _Order(DataKind.KLINE, parameters, counts, len(choice.failed))
    return await _queue(hub, order, extras, request_key)


async def queue_symbol_backfill(
    hub: Hub, *, exchanges: Sequence[str], extras: Extras = USUAL, request_key: RequestKey | None = None
) -> Queued:
    """Commit an update of the listings of ``exchanges``; InputError names what is wrong with them."""
    if not exchanges:
        raise InputError(
            f"exchanges must name at least one of {', '.join(venues_with(DataKind.SYMBOL, hub.support))}"
        )
    named = check_exchanges(hub, DataKind.SYMBOL, exchanges) or []
    counts = {"exchanges": len(named)}
    kept = await _keep_failed(hub, DataKind.SYMBOL, extras, named)
    order = _Order(DataKind.SYMBOL, {"exchanges": kept}, counts, len(kept))
    return await _queue(hub, order, extras, request_key)


async def queue_ticker_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    extras: Extras = USUAL,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of tickers; symbols are chosen as for klines."""
    wanted = await resolve_symbols(hub, DataKind.TICKER, exchanges, symbols)
    order = await _order_symbols(hub, DataKind.TICKER, extras, wanted)
    return await _queue(hub, order, extras, request_key)


async def queue_orderbook_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None,
    limit: int,
    extras: Extras = USUAL,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of order books with at most ``limit`` (1 to 1000) levels a side; symbols are chosen
    as for klines."""
    if not 1 <= limit <= DEEPEST_BOOK:
        raise InputError(f"limit {limit} is not between 1 and {DEEPEST_BOOK}")
    wanted = await resolve_symbols(hub, DataKind.ORDERBOOK, exchanges, symbols)
    order = await _order_symbols(hub, DataKind.ORDERBOOK, extras, wanted, limit=limit)
    return await _queue(hub, order, extras, request_key)


async def queue_balance_backfill(
    hub: Hub,
    *,
    exchanges: Sequence[str] | None,
    accounts: Sequence[str],
    extras: Extras = USUAL,
    request_key: RequestKey | None = None,
) -> Queued:
    """Commit a snapshot of the balances of ``accounts``, all of which must be configured."""
    wanted = resolve_accounts(hub, DataKind.BALANCE, exchanges, accounts)
    counts = {"exchanges": len({account.venue for account in wanted}), "accounts": len(wanted)}
    kept = await _keep_failed(hub, DataKind.BALANCE, extras, [str(account) for account in wanted])
    venues = list(dict.fromkeys(account.venue for account in wanted if str(account) in kept))
    parameters = {"exchanges": venues, "accounts": kept}
    order = _Order(DataKind.BALANCE, parameters, counts, len(kept))
    return await _queue(hub, order, extras, request_key)


async def queue_ledger_backfill(
    hub: Hub,
    kind: DataKind,
    *,
    exchanges: Sequence[str] | None,
    accounts: Sequence[str] | None,
    symbols: Sequence[str] | None,
    start_ms: int | None,
    end_ms: int | None,
    extras: Extras = USUAL,
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
    names = ((str(owner), str(account)) for account in wanted for owner in backfill.owners(account))
    choice = await _choose(hub, kind, extras, names, Span(min(start_ms or 0, end - 1), end))
    parameters = replace(backfill, choice=choice).to_parameters()
    return await _queue(hub, _Order(kind, parameters, counts, len(choice.failed)), extras, request_key)


@dataclass(frozen=True, slots=True)
class _Order:
    """What to queue, with the numbers that its message tells; of mode ``failed``, how much had ``failed``."""

    kind: DataKind
    parameters: Mapping[str, object]
    counts: Mapping[str, int | str]
    failed: int

    def describe(self, verb: str, mode: BackfillMode) -> str:
        counts = dict(self.counts)
        if mode is not BackfillMode.MISSING:
            counts["mode"] = mode.value
        if mode is BackfillMode.FAILED:
            counts["failed"] = self.failed
        told = " | ".join(f"{name}={count}" for name, count in counts.items())
        return f"{self.kind.value.capitalize()} backfill {verb} | {told}"


async def _choose(
    hub: Hub, kind: DataKind, extras: Extras, names: Iterable[tuple[str, str]], span: Span
) -> Choice:
    """What of ``span`` to ask for; ``names`` are series or owners, each with what it is one of."""
    if extras.mode is not BackfillMode.FAILED:
        return Choice(extras.mode)
    failed = await find_failed(hub, kind)
    spans = {name: failed_within(failed, (name, whole), span) for name, whole in names}
    return Choice(extras.mode, {name: parts for name, parts in spans.items() if parts})


async def _order_symbols(
    hub: Hub, kind: DataKind, extras: Extras, wanted: Sequence[Symbol], **more: int
) -> _Order:
    """The order of a snapshot of instruments; ``more`` goes with its parameters and into its message."""
    counts = {"exchanges": len({symbol.venue for symbol in wanted}), "symbols": len(wanted), **more}
    failed = await find_failed(hub, kind) if extras.mode is BackfillMode.FAILED else None
    kept = [one for one in wanted if failed is None or str(one) in failed or one.venue in failed]
    parameters = {
        "exchanges": list(dict.fromkeys(symbol.venue for symbol in kept)),
        "symbols": [str(symbol) for symbol in kept],
        **more,
    }
    return _Order(kind, parameters, counts, len(kept))


async def _keep_failed(hub: Hub, kind: DataKind, extras: Extras, names: Sequence[str]) -> list[str]:
    """All of ``names``, or with mode ``failed`` those whose last snapshot failed."""
    if extras.mode is not BackfillMode.FAILED:
        return list(names)
    failed = await find_failed(hub, kind)
    return [name for name in names if name in failed]


async def _queue(hub: Hub, order: _Order, extras: Extras, request_key: RequestKey | None) -> Queued:
    parameters = dict(order.parameters)
    if extras.mode is not BackfillMode.MISSING:
        parameters["mode"] = extras.mode.value
    if extras.dry_run:
        plan = await foresee_backfill(hub, order.kind, parameters)
        return Queued(0, "", "planned", order.describe("planned", extras.mode), plan)
    hub.node.reign.require_write()
    message = order.describe("queued", extras.mode)
    trace_id = new_trace_id(order.kind.backfill_job)
    execution_id = await hub.engine.enqueue(
        NewExecution(
            job_name=order.kind.backfill_job,
            parameters=parameters,
            trace_id=trace_id,
            message=message,
            priority=extras.priority,
            timeout_s=hub.backfill_timeout_s,
            request_key=request_key,
            act=name_act("backfill.queue"),
        )
    )
    return Queued(execution_id, trace_id, "queued", message)

"""Queue backfills."""

from collections.abc import Sequence
from dataclasses import dataclass

from markethub.control import subscriptions
from markethub.domain.errors import InputError
from markethub.domain.execution import new_trace_id
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind, check_support, venues_with
from markethub.domain.symbol import Symbol
from markethub.domain.times import format_time, parse_time
from markethub.engine.handler import NewExecution
from markethub.jobs import kline_backfill
from markethub.jobs.kline_plan import KlineBackfill
from markethub.services.hub import Hub

EARLIEST_MS = parse_time("2010-01-01")
"""No exchange has klines from before; an earlier start is taken for a mistake."""


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
) -> Queued:
    """Commit a kline backfill and wake the workers; InputError names what is wrong with the request.

    ``symbols`` win over ``exchanges``; without symbols it is every subscribed one of the exchanges (all that
    support klines when none is named). A future end is clamped to now.
    """
    wanted = await _resolve_symbols(hub, exchanges, symbols)
    if not intervals:
        raise InputError(f"intervals must name at least one of {', '.join(Interval)}")
    backfill = KlineBackfill(
        symbols=tuple(wanted),
        intervals=tuple(dict.fromkeys(Interval.parse(text) for text in intervals)),
        span=_check_span(start_ms, end_ms, hub.clock()),
    )
    parameters = backfill.to_parameters()
    venues = dict.fromkeys(symbol.venue for symbol in wanted)
    message = f"Kline backfill queued | exchanges={len(venues)} | symbols={len(wanted)}"
    trace_id = new_trace_id(kline_backfill.JOB_NAME)
    execution_id = await hub.engine.enqueue(
        NewExecution(
            job_name=kline_backfill.JOB_NAME,
            parameters=parameters,
            trace_id=trace_id,
            message=message,
            timeout_s=hub.backfill_timeout_s,
        )
    )
    return Queued(execution_id, trace_id, "queued", message)


def _check_span(start_ms: int, end_ms: int | None, now_ms: int) -> Span:
    if start_ms < EARLIEST_MS:
        raise InputError(
            f"start_time {format_time(start_ms)} is too early; the earliest is {format_time(EARLIEST_MS)}"
        )
    clamped_ms = now_ms if end_ms is None else min(end_ms, now_ms)
    if start_ms >= clamped_ms:
        end = "now" if clamped_ms == now_ms else "end_time"
        raise InputError(f"start_time {format_time(start_ms)} must be before {end} {format_time(clamped_ms)}")
    return Span(start_ms, clamped_ms)


async def _resolve_symbols(
    hub: Hub, exchanges: Sequence[str] | None, symbols: Sequence[str] | None
) -> list[Symbol]:
    if exchanges is not None:
        if not exchanges:
            raise InputError("exchanges is empty; leave it out to take every exchange")
        check_support(exchanges, DataKind.KLINE, hub.support)
    if symbols is not None:
        return _parse_symbols(hub, exchanges, symbols)
    venues = list(dict.fromkeys(exchanges or venues_with(DataKind.KLINE, hub.support)))
    async with hub.database.read() as connection:
        subscribed = await subscriptions.list_subscriptions(connection, venues)
    if not subscribed:
        raise InputError(
            f"no symbol is subscribed on {', '.join(venues)}; "
            "name symbols, or set [subscriptions] in the configuration"
        )
    return [one.symbol for one in subscribed]


def _parse_symbols(hub: Hub, exchanges: Sequence[str] | None, symbols: Sequence[str]) -> list[Symbol]:
    if not symbols:
        raise InputError("symbols is empty; leave it out to take every subscribed symbol")
    parsed = list(dict.fromkeys(Symbol.parse(text) for text in symbols))
    for symbol in parsed:
        if symbol.is_stock:
            raise InputError(f"symbol {symbol} is a stock; a backfill takes BASE_QUOTE.EXCHANGE")
        if exchanges is not None and symbol.venue not in exchanges:
            raise InputError(
                f"symbol {symbol} is on {symbol.venue}, which is not among exchanges {', '.join(exchanges)}"
            )
    check_support((symbol.venue for symbol in parsed), DataKind.KLINE, hub.support)
    return parsed

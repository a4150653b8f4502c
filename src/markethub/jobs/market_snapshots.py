"""The jobs ``backfill_ticker`` and ``backfill_orderbook``: what a market shows at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markethub.domain.support import DataKind
from markethub.domain.symbol import Symbol
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking
from markethub.jobs.forecast import Forecast, foresee_snapshot
from markethub.jobs.market_access import find_unlisted, market_of, plan_per_venue
from markethub.jobs.record_writing import RecordWriting
from markethub.ports.clock import Clock
from markethub.ports.records import RecordStore
from markethub.ports.venue import Venue
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.tickers import TICKERS

_NAMED = 20


@dataclass(frozen=True, slots=True)
class TickerBackfillHandler:
    """One question per exchange where the exchange allows it."""

    venues: Mapping[str, Venue]
    records: RecordStore
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per exchange; symbols that it does not list fail here and do not spoil the rest."""
        symbols = [Symbol.parse(text) for text in execution.parameters["symbols"]]
        with asking(execution.trace_id, is_fresh=True):
            unlisted = await _list_failures(self.venues, symbols, log)
        by_venue: dict[str, list[str]] = {}
        for symbol in symbols:
            if str(symbol) not in unlisted:
                by_venue.setdefault(symbol.venue, []).append(str(symbol))
        chunks = [
            NewChunk(key=code, queue=code, parameters={"exchange": code, "symbols": names})
            for code, names in by_venue.items()
        ]
        return plan_per_venue(chunks, self.venues, unlisted)

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:  # noqa: ARG002
        """One row for each symbol, if all of them trade."""
        sizes = [(chunk.queue, len(chunk.parameters["symbols"])) for chunk in chunks]
        return [foresee_snapshot(self.venues[code], DataKind.TICKER, size, size) for code, size in sizes]

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask for the tickers and store them; which symbols do not trade is said in the log."""
        code: str = chunk.parameters["exchange"]
        symbols = [Symbol.parse(text) for text in chunk.parameters["symbols"]]
        with asking(chunk.trace_id, is_fresh=True):
            rows = await market_of(self.venues, code).tickers(symbols)
        writing = RecordWriting(self.records, self.clock, chunk.counters)
        await writing.store(TICKERS, rows)
        found = set(rows.column("symbol").to_pylist())
        if silent := [str(symbol) for symbol in symbols if str(symbol) not in found]:
            more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
            log.info(f"{code}, not trading now: {', '.join(silent[:_NAMED])}{more}")
        log.info(f"{chunk.key}: {writing.describe()}")
        return dict(writing.counters)


@dataclass(frozen=True, slots=True)
class OrderbookBackfillHandler:
    """One question per symbol."""

    venues: Mapping[str, Venue]
    records: RecordStore
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per symbol; those that their exchange does not list fail here."""
        symbols = [Symbol.parse(text) for text in execution.parameters["symbols"]]
        with asking(execution.trace_id, is_fresh=True):
            unlisted = await _list_failures(self.venues, symbols, log)
        depth: int = execution.parameters["limit"]
        listed = [symbol for symbol in symbols if str(symbol) not in unlisted]
        # As for klines: small executions do not wait behind large ones.
        chunks = [
            NewChunk(
                key=str(symbol),
                queue=symbol.venue,
                parameters={"symbol": str(symbol), "limit": depth},
                priority=-index,
            )
            for index, symbol in enumerate(listed)
        ]
        return plan_per_venue(chunks, self.venues, unlisted)

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:  # noqa: ARG002
        """One row for each symbol."""
        return [
            foresee_snapshot(self.venues[chunk.queue], DataKind.ORDERBOOK, chunk.parameters["limit"], 1)
            for chunk in chunks
        ]

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask for the book and store it."""
        symbol = Symbol.parse(chunk.parameters["symbol"])
        with asking(chunk.trace_id, is_fresh=True):
            rows = await market_of(self.venues, symbol.venue).orderbook(symbol, chunk.parameters["limit"])
        writing = RecordWriting(self.records, self.clock, chunk.counters)
        await writing.store(ORDERBOOKS, rows)
        log.info(f"{chunk.key}: {writing.describe()}")
        return dict(writing.counters)


async def _list_failures(
    venues: Mapping[str, Venue], symbols: Sequence[Symbol], log: WorkLog
) -> dict[str, str]:
    served = [symbol for symbol in symbols if symbol.venue in venues]
    return {
        str(symbol): f"{symbol.venue} does not list {symbol}"
        for symbol in await find_unlisted(venues, served, log)
    }

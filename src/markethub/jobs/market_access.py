"""How jobs come to a venue's market data."""

from collections.abc import Iterable, Mapping, Sequence

from markethub.domain.errors import InputError, VenueError
from markethub.domain.symbol import Symbol
from markethub.engine.handler import NewChunk, Plan, WorkLog
from markethub.jobs.record_writing import NO_RECORDS
from markethub.ports.venue import MarketSource, Venue


def market_of(venues: Mapping[str, Venue], code: str) -> MarketSource:
    """What the venue shows everyone; InputError where its adapter has only klines."""
    market = venues[code].market
    if market is None:
        raise InputError(f"the adapter of exchange {code} has klines only")
    return market


def plan_per_venue(
    chunks: Sequence[NewChunk], venues: Mapping[str, Venue], failures: Mapping[str, str] | None = None
) -> Plan:
    """The plan of these chunks, whose queues are their venues; those without an adapter fail by name."""
    orphans = {
        chunk.key: f"no adapter for exchange {chunk.queue} is installed"
        for chunk in chunks
        if chunk.queue not in venues
    }
    return Plan(
        chunks=[chunk for chunk in chunks if chunk.queue in venues],
        counters=NO_RECORDS,
        failures={**orphans, **(failures or {})},
    )


async def find_unlisted(venues: Mapping[str, Venue], symbols: Iterable[Symbol], log: WorkLog) -> list[Symbol]:
    """Those of ``symbols`` that their venues, each of which has an adapter, do not list.

    One venue that is away must not hold up the others: its symbols pass, and their chunks find out.
    """
    unlisted: list[Symbol] = []
    unreachable: set[str] = set()
    for symbol in symbols:
        if symbol.venue in unreachable:
            continue
        try:
            if not await venues[symbol.venue].klines.listed(symbol):
                unlisted.append(symbol)
        except VenueError as error:
            log.warning(f"listing of {symbol.venue}: {error}")
            unreachable.add(symbol.venue)
    return unlisted

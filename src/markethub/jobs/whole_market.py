"""Everything that markets list, for jobs that are about whole markets."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.errors import InputError, VenueError
from markethub.domain.symbol import Symbol
from markethub.jobs.market_access import market_of
from markethub.ports.venue import SymbolDirectory, Venue

_IDLE = frozenset({"halted", "pre_open"})


@dataclass(slots=True)
class MarketSymbols:
    """The symbols that some exchanges list, and by exchange why it did not tell."""

    symbols: list[Symbol] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


async def list_markets(
    venues: Mapping[str, Venue], codes: Sequence[str], *, with_idle: bool
) -> MarketSymbols:
    """What these exchanges list now; ``with_idle`` also what does not trade at present.

    One exchange that is away does not keep the others waiting: it is among the failures. The error of one
    that was asked alone is raised. InputError where an exchange has no adapter here, or nothing that tells
    its symbols.
    """
    listed = MarketSymbols()
    for code in codes:
        try:
            listed.symbols += await _list_market(venues, code, with_idle=with_idle)
        except VenueError as error:
            if len(codes) == 1:
                raise
            listed.failures[f"listing of {code}"] = str(error)
    return listed


async def _list_market(venues: Mapping[str, Venue], code: str, *, with_idle: bool) -> Sequence[Symbol]:
    venue = venues.get(code)
    if venue is None:
        raise InputError(f"no adapter for exchange {code} is installed")
    if isinstance(venue, SymbolDirectory):
        return await venue.listed_symbols()
    listing = await market_of(venues, code).listing()
    return await asyncio.to_thread(_read_listing, listing, with_idle=with_idle)


def _read_listing(listing: pa.Table, *, with_idle: bool) -> list[Symbol]:
    names, statuses = (listing.column(name).to_pylist() for name in ("symbol", "status"))
    return [
        Symbol.parse(name)
        for name, status in zip(names, statuses, strict=True)
        if with_idle or status not in _IDLE
    ]

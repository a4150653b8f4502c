"""What a subscription rule chooses, as its exchange stands now."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.subscription import Candidate, SubscriptionRule, choose, may_rank
from markethub.domain.symbol import Symbol
from markethub.ports.venue import MarketSource


@dataclass(frozen=True, slots=True)
class Chosen:
    """The instruments of a rule, ascending, of which ``trading`` have no halt; and the root symbols of its
    ``include`` that the exchange does not list."""

    symbols: list[Symbol]
    trading: frozenset[Symbol]
    unlisted: list[str]


async def ask_for_rule(
    market: MarketSource, exchange: str, rule: SubscriptionRule, before: Collection[Symbol]
) -> Chosen:
    """Ask the exchange what ``rule`` chooses now; ``before`` is what it chose last time.

    Two questions: the listing, then the tickers of what may rank; where that is no more than the rule takes,
    no ticker is asked for. VenueProtocolError when no ticker of many tells a volume.
    """
    listing = await market.listing()
    listed = await asyncio.to_thread(_read_listing, listing)
    ranked = [one.symbol for one in listed if may_rank(rule, one)]
    volumes: Mapping[str, float | None] = {}
    if len(ranked) > rule.top:
        tickers = await market.tickers(ranked)
        volumes = dict(
            zip(
                tickers.column("symbol").to_pylist(),
                tickers.column("quote_volume_24h").to_pylist(),
                strict=True,
            )
        )
        if not any(volumes.values()):
            raise VenueProtocolError(
                f"{exchange} tells no volume for any of {len(ranked)} instruments in {rule.quote}"
            )
    candidates = [Candidate(one.symbol, one.status, volumes.get(str(one.symbol))) for one in listed]
    known = {one.symbol.instrument for one in listed}
    return Chosen(
        symbols=choose(rule, candidates, before),
        trading=frozenset(one.symbol for one in listed if one.status == "trading"),
        unlisted=[root for root in rule.include if root not in known],
    )


def _read_listing(listing: pa.Table) -> list[Candidate]:
    names, statuses = listing.column("symbol").to_pylist(), listing.column("status").to_pylist()
    return [Candidate(Symbol.parse(name), status) for name, status in zip(names, statuses, strict=True)]

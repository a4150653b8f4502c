"""The job ``backfill_symbol``: keep the history of what each venue lists."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.support import DataKind
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking
from markethub.jobs.forecast import Forecast, foresee_snapshot
from markethub.jobs.listing_history import (
    ListingChanges,
    compare_listing,
    is_absurd,
    newest_time_ms,
    same_instruments,
)
from markethub.jobs.market_access import market_of, plan_per_venue
from markethub.jobs.record_writing import RecordWriting
from markethub.ports.clock import Clock
from markethub.ports.records import RecordQuery, RecordStore
from markethub.ports.venue import MarketSource, Venue
from markethub.tables.symbols import SYMBOLS

CONFIRM_AFTER_S = 5.0
"""A listing that cannot be believed is asked for once more after this long."""
_NAMED = 20


@dataclass(frozen=True, slots=True)
class SymbolBackfillHandler:
    """Writes a version of an instrument wherever a venue tells something new about it."""

    venues: Mapping[str, Venue]
    records: RecordStore
    clock: Clock
    confirm_after_s: float = CONFIRM_AFTER_S
    # Two at once would both compare with the same versions, and leave two of a symbol in force.
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:  # noqa: ARG002  (Handler's)
        """One chunk per exchange."""
        codes = execution.parameters["exchanges"]
        chunks = [NewChunk(key=code, queue=code, parameters={"exchange": code}) for code in codes]
        return plan_per_venue(chunks, self.venues)

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:  # noqa: ARG002
        """One listing each; how many instruments it has nobody knows before."""
        return [foresee_snapshot(self.venues[chunk.queue], DataKind.SYMBOL, 1, None) for chunk in chunks]

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask for the listing, compare, write the differences and the claim that it was seen."""
        code: str = chunk.parameters["exchange"]
        with asking(chunk.trace_id, is_fresh=True):
            async with self._locks[code]:
                return await self._update(code, RecordWriting(self.records, self.clock, chunk.counters), log)

    async def _update(self, code: str, writing: RecordWriting, log: WorkLog) -> Counters:
        newest = await asyncio.to_thread(self._newest_versions, code)
        asked_ms = self.clock()
        listing = await self._ask(market_of(self.venues, code), code, newest, log)
        # Our clock may have been set back since: versions must not begin before others ended.
        seen_ms = max(asked_ms, (newest_time_ms(newest) or 0) + 1)
        changes = await asyncio.to_thread(compare_listing, newest, listing, seen_ms)
        storing = asyncio.create_task(
            writing.store(SYMBOLS, changes.rows, writing.claim_moment(code, seen_ms))
        )
        try:
            await asyncio.shield(storing)
        finally:
            await storing  # cancelled or not: the next one must compare with what this one writes
        writing.counters["processed"] += changes.unchanged
        writing.counters["unchanged"] += changes.unchanged
        _tell(code, changes, log)
        return dict(writing.counters)

    def _newest_versions(self, code: str) -> pa.Table:
        return self.records.read_records(
            SYMBOLS, RecordQuery(ends_with={"symbol": f".{code}"}, latest_by=["symbol"])
        )

    async def _ask(self, market: MarketSource, code: str, newest: pa.Table, log: WorkLog) -> pa.Table:
        """The listing; one that lost most instruments is believed only when it says so twice."""
        listing = await market.listing()
        if not is_absurd(newest, listing):
            return listing
        log.warning(f"{code} lists only {len(listing)} instruments; asking once more")
        await asyncio.sleep(self.confirm_after_s)
        again = await market.listing()
        if is_absurd(newest, again) and not (len(again) and same_instruments(listing, again)):
            raise VenueProtocolError(
                f"{code} lists {len(listing)} and then {len(again)} instruments, less than half of before; "
                "its listing is not believed, and nothing of it was stored"
            )
        return again


def _tell(code: str, changes: ListingChanges, log: WorkLog) -> None:
    log.info(
        f"{code}: {len(changes.added)} new, {len(changes.changed)} changed, {len(changes.vanished)} "
        f"no longer listed, {changes.unchanged} unchanged"
    )
    for what, symbols in (("changed", changes.changed), ("no longer listed", changes.vanished)):
        if symbols:
            more = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
            log.info(f"{code}, {what}: {', '.join(symbols[:_NAMED])}{more}")

"""The jobs ``backfill_order``, ``backfill_fill`` and ``backfill_transfer``."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from markethub.domain.errors import InputError
from markethub.domain.span import Span, describe_spans, span_or_none, subtract
from markethub.domain.support import DataKind
from markethub.domain.times import format_time
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.asking import asking, is_fresh
from markethub.jobs.forecast import Forecast
from markethub.jobs.ledger_plan import (
    LedgerBackfill,
    LedgerChunk,
    LedgerOwner,
    LedgerUnit,
    find_wanted,
    plan_ledger_chunks,
)
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.record_writing import NO_RECORDS, REST, RecordWriting
from markethub.ports.clock import Clock
from markethub.ports.costs import Cost
from markethub.ports.records import RecordStore
from markethub.ports.venue import AccountSource, LedgerPage
from markethub.tables.catalog import TABLE_OF
from markethub.tables.rejects import Reject

_EPOCH_MS = 0  # no venue is older


@dataclass(frozen=True, slots=True)
class LedgerBackfillHandler:
    """Plans and runs backfills of one kind of ledger row; what is claimed is not asked again."""

    kind: DataKind
    access: AccountAccess
    records: RecordStore
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per account, instrument and month (year, of transfers) that lacks something.

        What the venue no longer tells, or not all of, is warned of. An account without a usable key fails,
        and one of which nothing that is missing can be had any more.
        """
        backfill = LedgerBackfill.from_parameters(execution.parameters)
        missing: dict[LedgerOwner, Sequence[Span]] = {}
        failures: dict[str, str] = {}
        for account in backfill.accounts:
            owners = backfill.owners(account)
            if not owners:
                continue
            try:
                source = await self.access.open(account)
                now_ms = self.clock()
                reach_ms = source.reach_ms(self.kind, now_ms)
                tells_all_from_ms = source.tells_all_from_ms(self.kind, now_ms)
            except InputError as error:
                failures[str(account)] = str(error)
                continue
            for owner in owners:
                covered = await self._covered(backfill, owner)
                wanted = find_wanted(backfill.start_ms, backfill.end_ms, reach_ms, covered)
                missing[owner] = wanted.missing
                if backfill.choice.asks_again:
                    missing[owner] = find_wanted(backfill.start_ms, backfill.end_ms, reach_ms, ()).missing
                if wanted.lost:
                    message = self._describe_lost(owner, wanted.lost, reach_ms)
                    log.warning(message)
                    if not missing[owner]:
                        failures[str(owner)] = message
                if backfill.start_ms is not None:
                    self._warn_of_parts(owner, missing[owner], tells_all_from_ms, log)
        # Money moves seldom, and venues tell it for years: a month would be a question for nothing.
        unit = LedgerUnit.YEAR if self.kind is DataKind.TRANSFER else LedgerUnit.MONTH
        chunks = plan_ledger_chunks(missing, unit, again=backfill.choice.asks_again)
        return Plan(chunks, NO_RECORDS, failures)

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:  # noqa: ARG002
        """The least that each chunk's gaps cost; how many rows they have nobody knows before."""
        works = [LedgerChunk.from_parameters(chunk.parameters) for chunk in chunks]
        return await asyncio.to_thread(lambda: [self._foresee(work) for work in works])

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask for what the chunk's span still lacks, or all of it where the plan says so; store each page as
        it comes."""
        work = LedgerChunk.from_parameters(chunk.parameters)
        source = await self.access.open(work.owner.account)
        writing = RecordWriting(self.records, self.clock, chunk.counters)
        for gap in reversed(await asyncio.to_thread(self._gaps, work)):
            with asking(chunk.trace_id, is_fresh=is_fresh(gap, self.clock())):
                await self._fetch(source, work.owner, gap, writing, log)
        log.info(f"{chunk.key}: {writing.describe()}")
        return dict(writing.counters)

    async def _fetch(
        self, source: AccountSource, owner: LedgerOwner, gap: Span, writing: RecordWriting, log: WorkLog
    ) -> None:
        rejected: list[Reject] = []
        storing: asyncio.Task[None] | None = None
        try:
            async for page in source.ledger(self.kind, gap, owner.symbol):
                rejected += page.rejected
                if storing is not None:
                    await storing  # in order: a page's claim is about the pages before it as well
                # One page is written while the next is on its way.
                storing = asyncio.create_task(self._store(page, owner, list(rejected), writing, log))
        finally:
            if storing is not None:
                await storing

    async def _store(
        self,
        page: LedgerPage,
        owner: LedgerOwner,
        rejected: Sequence[Reject],
        writing: RecordWriting,
        log: WorkLog,
    ) -> None:
        quarantine = Quarantine(self.records, self.clock)
        await quarantine.keep(
            self.kind, str(owner), page.rejected, source=REST, log=log, counters=writing.counters
        )
        # Claims grow from page to page; what an earlier page rejected must stay open in all of them.
        sound = subtract(page.covered, [one.span for one in rejected]) if page.covered else []
        await writing.store(TABLE_OF[self.kind], page.rows, writing.claim(str(owner), sound))

    async def _covered(self, backfill: LedgerBackfill, owner: LedgerOwner) -> list[Span]:
        span = Span(_EPOCH_MS if backfill.start_ms is None else backfill.start_ms, backfill.end_ms)
        claimed = await asyncio.to_thread(self._claimed, owner, span)
        return [*claimed, *backfill.choice.left_out(str(owner), span)]

    def _foresee(self, work: LedgerChunk) -> Forecast:
        costs = self.access.venues[work.owner.account.venue].costs
        cost = None
        if costs is not None:
            cost = sum((costs.ledger(self.kind, gap) for gap in self._gaps(work)), Cost())
        return Forecast(work.span, cost=cost, is_least=True)

    def _gaps(self, work: LedgerChunk) -> list[Span]:
        return [work.span] if work.again else subtract(work.span, self._claimed(work.owner, work.span))

    def _claimed(self, owner: LedgerOwner, span: Span) -> list[Span]:
        """What is claimed for the owner itself, or for its whole account."""
        table = TABLE_OF[self.kind]
        names = dict.fromkeys((str(owner), str(owner.account)))
        return [claim.span for name in names for claim in self.records.covered_records(table, name, span)]

    def _warn_of_parts(
        self, owner: LedgerOwner, missing: Sequence[Span], tells_all_from_ms: int, log: WorkLog
    ) -> None:
        told = (span_or_none(one.start_ms, min(one.end_ms, tells_all_from_ms)) for one in missing)
        if in_part := [span for span in told if span]:
            log.warning(
                f"{owner}: {owner.account.venue} tells all {self.kind}s only from "
                f"{format_time(tells_all_from_ms)} on; of {describe_spans(in_part)} some, or most, cannot be "
                "had any more"
            )

    def _describe_lost(self, owner: LedgerOwner, lost: Sequence[Span], reach_ms: int) -> str:
        return (
            f"{owner}: {owner.account.venue} tells {self.kind}s from {format_time(reach_ms)} on; "
            f"what lies before, {describe_spans(lost)}, cannot be had any more"
        )

"""The jobs ``sync_order``, ``sync_fill`` and ``sync_transfer``."""

import asyncio
from dataclasses import dataclass, replace

from markethub.domain.errors import InputError
from markethub.domain.span import Span
from markethub.domain.symbol import Account
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.ledger_backfill import LedgerBackfillHandler
from markethub.jobs.ledger_plan import LedgerBackfill
from markethub.jobs.record_writing import NO_RECORDS
from markethub.jobs.sync_targets import SyncTargets
from markethub.tables.catalog import TABLE_OF


@dataclass(frozen=True, slots=True)
class LedgerSyncHandler:
    """Goes on from where each account's ledger is known to be complete, at first from as far back as the
    exchange tells."""

    targets: SyncTargets
    backfill: LedgerBackfillHandler

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """The backfill's plan for each account; without chunks where there is none, which the log says."""
        kind = self.backfill.kind
        accounts = self.targets.accounts(kind, execution.parameters)
        if not accounts:
            exchanges = ", ".join(self.targets.exchanges(kind, execution.parameters))
            log.info(f"Nothing to sync: no account is configured on {exchanges}")
        chunks: list[NewChunk] = []
        failures: dict[str, str] = {}
        end_ms = self.backfill.clock()
        for account in accounts:
            start_ms = await self._find_start(account)
            wanted = LedgerBackfill((account,), roots=(), start_ms=start_ms, end_ms=end_ms)
            plan = await self.backfill.plan(replace(execution, parameters=wanted.to_parameters()), log)
            chunks += plan.chunks
            failures |= plan.failures
        return Plan(chunks, NO_RECORDS, failures)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """As the backfill does."""
        return await self.backfill.run(chunk, log)

    async def _find_start(self, account: Account) -> int | None:
        """Where the first claim begins, while the exchange still tells what was then; None otherwise.

        Without it every run would ask for the oldest moments within reach, which are never claimed: they may
        fall out of reach while they are asked for.
        """
        try:
            source = await self.backfill.access.open(account)
            reach_ms = source.reach_ms(self.backfill.kind, self.backfill.clock())
        except InputError:
            return None  # the backfill's plan meets it again, and fails this account by name
        table = TABLE_OF[self.backfill.kind]
        within = Span(reach_ms, max(self.backfill.clock(), reach_ms + 1))
        claims = await asyncio.to_thread(self.backfill.records.covered_records, table, str(account), within)
        return min((claim.span.start_ms for claim in claims), default=None)

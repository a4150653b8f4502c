"""The job ``backfill_balance``: what accounts hold at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.asking import asking
from markethub.jobs.forecast import Forecast, foresee_snapshot
from markethub.jobs.market_access import plan_per_venue
from markethub.jobs.record_writing import RecordWriting
from markethub.ports.clock import Clock
from markethub.ports.records import RecordStore
from markethub.tables.balances import BALANCES
from markethub.tables.records import times_ms


@dataclass(frozen=True, slots=True)
class BalanceBackfillHandler:
    """One snapshot per account, all wallets under one time."""

    access: AccountAccess
    records: RecordStore
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:  # noqa: ARG002  (Handler's)
        """One chunk per account."""
        accounts = [Account.parse(text) for text in execution.parameters["accounts"]]
        chunks = [
            NewChunk(key=str(account), queue=account.venue, parameters={"account": str(account)})
            for account in accounts
        ]
        return plan_per_venue(chunks, self.access.venues)

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:  # noqa: ARG002
        """The wallets of each account; how many assets they hold nobody knows before."""
        venues = [self.access.venues[chunk.queue] for chunk in chunks]
        return [foresee_snapshot(venue, DataKind.BALANCE, 1, None) for venue in venues]

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask for the balances and store them with the claim that they are all: also of an empty account."""
        account = Account.parse(chunk.parameters["account"])
        source = await self.access.open(account)
        with asking(chunk.trace_id, is_fresh=True):
            asked_ms = self.clock()
            rows = await source.balances()
        time_ms: int = times_ms(rows, BALANCES.time)[0].as_py() if len(rows) else asked_ms
        writing = RecordWriting(self.records, self.clock, chunk.counters)
        await writing.store(BALANCES, rows, writing.claim_moment(str(account), time_ms))
        log.info(f"{chunk.key}: {writing.describe()}" if len(rows) else f"{chunk.key}: the account is empty")
        return dict(writing.counters)

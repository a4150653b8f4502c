"""The jobs ``sync_symbol``, ``sync_ticker``, ``sync_orderbook`` and ``sync_balance``: snapshots that find out
by themselves what they are about."""

from dataclasses import dataclass, replace

from markethub.domain.support import ACCOUNT_KINDS, DataKind
from markethub.engine.handler import (
    Counters,
    Handler,
    Parameters,
    Plan,
    RunningChunk,
    RunningExecution,
    WorkLog,
)
from markethub.jobs.record_writing import NO_RECORDS
from markethub.jobs.sync_targets import SyncTargets

_DEFAULT_DEPTH = 20  # as of a backfill of books


@dataclass(frozen=True, slots=True)
class TargetSyncHandler:
    """Runs the backfill of ``kind`` for targets that are looked up when it is planned."""

    kind: DataKind
    targets: SyncTargets
    backfill: Handler

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """The backfill's own plan; one without chunks where there is nothing to sync, which the log says."""
        parameters = await self._resolve(execution.parameters)
        if parameters is None:
            missing = "account is configured" if self.kind in ACCOUNT_KINDS else "symbol is subscribed"
            exchanges = ", ".join(self.targets.exchanges(self.kind, execution.parameters)) or "any exchange"
            log.info(f"Nothing to sync: no {missing} on {exchanges}")
            return Plan((), NO_RECORDS)
        return await self.backfill.plan(replace(execution, parameters=parameters), log)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """As the backfill does."""
        return await self.backfill.run(chunk, log)

    async def _resolve(self, parameters: Parameters) -> Parameters | None:
        if self.kind is DataKind.SYMBOL:
            return {"exchanges": self.targets.exchanges(self.kind, parameters)}
        if self.kind in ACCOUNT_KINDS:
            accounts = self.targets.accounts(self.kind, parameters)
            return {"accounts": [str(account) for account in accounts]} if accounts else None
        symbols = await self.targets.symbols(self.kind, parameters)
        if not symbols:
            return None
        named: dict[str, object] = {"symbols": [str(symbol) for symbol in symbols]}
        if self.kind is DataKind.ORDERBOOK:
            named["limit"] = parameters.get("limit", _DEFAULT_DEPTH)
        return named

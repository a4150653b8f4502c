"""Where rows go that make no sense."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markethub.domain.support import DataKind
from markethub.engine.handler import WorkLog
from markethub.ports.clock import Clock
from markethub.ports.records import RecordStore
from markethub.tables.rejects import REJECTS, Reject, tabulate_rejects

_LOGGED = 5


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Keeps rejected rows in the table ``rejects`` and tells about them; they are never stored as data."""

    records: RecordStore
    clock: Clock

    async def keep(
        self,
        kind: DataKind,
        owner: str,
        rejects: Sequence[Reject],
        *,
        source: str,
        log: WorkLog,
        counters: Counter[str],
    ) -> None:
        """Store the rejects, durable when this returns; count them as ``rejected``; warn of the first few."""
        if not rejects:
            return
        rows = tabulate_rejects(kind, owner, rejects, source, self.clock())
        written = await asyncio.to_thread(self.records.upsert_records, REJECTS, rows)
        await asyncio.wrap_future(written)
        counters["rejected"] += len(rejects)
        for reject in rejects[:_LOGGED]:
            log.warning(f"{owner} {reject.key}: {reject.reason}; kept out, see rejects")
        if len(rejects) > _LOGGED:
            log.warning(f"{owner}: {len(rejects) - _LOGGED} more rows kept out, see rejects")

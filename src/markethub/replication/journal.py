"""What a slave's runs bring, on its way to the sync history: added up in memory, written in batches."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from markethub.control.database import Database
from markethub.control.sync_history import HOUR_MS, SyncEntry, add_entries
from markethub.domain.symbol import Series
from markethub.ports.clock import Clock
from markethub.replication.follower import Copied, Mode

_FEW_ENTRIES = 64
_BATCH_MS = 300_000


@dataclass(frozen=True, slots=True)
class _Key:
    symbol: str
    interval: str
    mode: Mode
    error: str
    hour: int


@dataclass(slots=True)
class _Sum:
    start_ms: int
    end_ms: int
    rows: int


class SyncJournal:
    """Adds up what runs bring; one run at a time, between ``begin`` calls.

    A minute sync of thousands of series is written once in five minutes. Few entries, repairs, failures and
    whole comparisons are due at once.
    """

    def __init__(self, database: Database, name: str, clock: Clock) -> None:
        """``name`` is the slave's."""
        self.database = database
        self.name = name
        self.clock = clock
        self._sums: dict[_Key, _Sum] = {}
        self._rows: Counter[Mode] = Counter()
        self._run_rows = 0
        self._start_ms = clock()
        self._flushed_ms = clock()
        self._is_urgent = False
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Task[None]] = set()

    @property
    def rows(self) -> Mapping[Mode, int]:
        """The rows of all runs so far."""
        return self._rows

    @property
    def run_rows(self) -> int:
        """The rows of this run so far."""
        return self._run_rows

    @property
    def is_due(self) -> bool:
        """Whether something waits to be written, and should be now."""
        if not self._sums:
            return False
        waited_ms = self.clock() - self._flushed_ms
        return self._is_urgent or len(self._sums) <= _FEW_ENTRIES or not 0 <= waited_ms < _BATCH_MS

    def begin(self) -> None:
        """Start a run."""
        self._start_ms = self.clock()
        self._run_rows = 0

    def note(self, copied: Copied) -> None:
        """Add what the present run brought; new claims alone are no entry of their own."""
        self._rows[copied.mode] += copied.rows
        self._run_rows += copied.rows
        if copied.mode is Mode.INCREMENTAL and not copied.rows:
            return
        match copied.subject:
            case Series() as series:
                self._add(str(series.symbol), series.interval.value, copied.mode, "", copied.rows)
            case str() as table:
                self._add(table, "", copied.mode, "", copied.rows)

    def fail(self, mode: Mode, error: str) -> None:
        """Note that the present run failed, and why."""
        self._add("", "", mode, error, 0)

    async def flush(self) -> None:
        """Write what waits; it stays waiting where the control database fails.

        Finished even if the caller is cancelled: a write of which nobody knows whether it was kept would be
        counted twice, or not at all.
        """
        write = asyncio.create_task(self._write())
        self._writes.add(write)
        write.add_done_callback(self._forget)
        await asyncio.shield(write)

    def _add(self, symbol: str, interval: str, mode: Mode, error: str, rows: int) -> None:
        now_ms = max(self.clock(), self._start_ms)
        key = _Key(symbol, interval, mode, error, self._start_ms // HOUR_MS)
        self._put(key, _Sum(self._start_ms, now_ms, rows))
        self._is_urgent = self._is_urgent or mode is not Mode.INCREMENTAL or error != ""

    def _put(self, key: _Key, new: _Sum) -> None:
        known = self._sums.setdefault(key, new)
        if known is not new:
            known.start_ms = min(known.start_ms, new.start_ms)
            known.end_ms = max(known.end_ms, new.end_ms)
            known.rows += new.rows

    async def _write(self) -> None:
        async with self._writing:
            taken, self._sums = self._sums, {}
            self._is_urgent = False
            if not taken:
                return
            entries = [_entry(key, found) for key, found in taken.items()]
            try:
                async with self.database.begin() as connection:
                    await add_entries(connection, self.name, entries)
            except BaseException:
                for key, found in taken.items():
                    self._put(key, found)
                raise
            self._flushed_ms = self.clock()

    def _forget(self, write: "asyncio.Task[None]") -> None:
        self._writes.discard(write)
        if not write.cancelled():
            write.exception()  # mark as seen: the asker may have gone


def _entry(key: _Key, found: _Sum) -> SyncEntry:
    return SyncEntry(
        symbol=key.symbol,
        interval=key.interval,
        sync_mode=key.mode,
        start_ms=found.start_ms,
        end_ms=found.end_ms,
        data_count=found.rows,
        status="failed" if key.error else "success",
        error=key.error,
    )

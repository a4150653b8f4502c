"""The cleanup jobs: delete what is too old or too much, after it was written to a file if that is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markethub.control.retention import Cleaned, Expiry, Place
from markethub.domain.errors import InputError
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.row_encoding import RowFormat
from markethub.jobs.row_files import RowFiles
from markethub.ports.clock import Clock

_DAY_MS = 86_400_000
_ROWS_PER_PART = 20_000
_ROWS_PER_READ = 500


@dataclass(frozen=True, slots=True)
class CleanupHandler:
    """Deletes rows of one kind in parts; each is exported, brought to the disk, and then deleted.

    Killed in between, the next run goes on. What was exported and not yet deleted is then exported once more:
    a row may be in two files, never in none. A failed export deletes nothing of its part.
    """

    cleaned: Cleaned
    default_bounds: Mapping[str, int]
    """``max_age_days`` and ``max_count`` for parameters that have neither."""
    clock: Clock
    rows_per_part: int = _ROWS_PER_PART
    rows_per_read: int = _ROWS_PER_READ

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:  # noqa: ARG002  (Handler's)
        """One chunk, with the moment before which rows are too old."""
        bounds = {name: execution.parameters.get(name) for name in ("max_age_days", "max_count")}
        if all(value is None for value in bounds.values()):
            bounds = dict(self.default_bounds)
        age_days = bounds.get("max_age_days")
        parameters: dict[str, Any] = {
            "before_ms": None if age_days is None else self.clock() - age_days * _DAY_MS,
            "max_count": bounds.get("max_count"),
        }
        if (folder := execution.parameters.get("export_dir")) is not None:
            if not Path(folder).is_absolute():
                raise InputError(f"parameter export_dir {folder!r} is not an absolute path")
            parameters["export_dir"] = folder
            parameters["export_format"] = execution.parameters.get("export_format", RowFormat.JSONL.value)
        return Plan([NewChunk(key="cleanup", queue="cleanup", parameters=parameters)])

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Delete part after part; counts ``deleted_*`` by kind of row, and ``exported`` rows."""
        before_ms, max_count = chunk.parameters["before_ms"], chunk.parameters["max_count"]
        last: Place | None = None if max_count is None else await self.cleaned.find_last(max_count)
        expiry = Expiry(before_ms, last)
        while ids := await self.cleaned.find(expiry, self.rows_per_part):
            if "export_dir" in chunk.parameters:
                await self._export(chunk, ids, log)
            deleted = await self.cleaned.delete(ids)
            for kind, count in deleted.items():
                chunk.counters[f"deleted_{kind}"] += count
        await self.cleaned.tidy(self.clock() if before_ms is None else before_ms)
        told = [
            f"{count} {name.removeprefix('deleted_')}"
            for name, count in sorted(chunk.counters.items())
            if name.startswith("deleted_")
        ]
        log.info(f"Deleted {', '.join(told)}" if told else "Nothing is old enough, or too much")
        return chunk.counters

    async def _export(self, chunk: RunningChunk, ids: list[int], log: WorkLog) -> None:
        folder, format_name = (
            Path(chunk.parameters["export_dir"]),
            RowFormat(chunk.parameters["export_format"]),
        )
        count = 0
        async with RowFiles(folder, format_name, self.clock()) as files:
            for start in range(0, len(ids), self.rows_per_read):
                rows = await self.cleaned.read(ids[start : start + self.rows_per_read])
                await files.write(rows)
                count += sum(map(len, rows.values()))
            kept = await files.keep()
        chunk.counters["exported"] += count
        log.info(f"Exported {count} rows to {', '.join(path.name for path in kept)}")

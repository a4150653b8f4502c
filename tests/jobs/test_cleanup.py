"""Cleanup on real databases: what goes, what stays, and that nothing is deleted which was not exported."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select

from markethub.control.audit import Act, Caller, insert_audit
from markethub.control.chunks import PlannedChunk, insert_chunks
from markethub.control.database import Database
from markethub.control.execution_tally import DAY_MS
from markethub.control.executions import QueuedExecution, insert_executions, list_executions
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.log_tally import find_settled_id, tally_lines
from markethub.control.logs import NewLogLine, insert_logs, list_logs
from markethub.control.planning import claim_executions, lock_executions, start_running
from markethub.control.retention import (
    Cleaned,
    CleanedAudit,
    CleanedExecutions,
    CleanedLines,
    Expiry,
    Place,
)
from markethub.control.schema import audit, chunk, execution, execution_tally, log_tally
from markethub.control.statistics import sum_statistics
from markethub.domain.errors import InputError, StoreError
from markethub.engine.closing import Closing, close_executions
from markethub.engine.handler import RunningChunk, RunningExecution
from markethub.jobs.cleanup import CleanupHandler

NOW_MS = 400 * DAY_MS
BOUNDS = {"max_age_days": 90, "max_count": 1_000}


@dataclass
class Lines:
    """A work log that keeps what it is told."""

    told: list[str] = field(default_factory=list)

    def debug(self, message: str) -> None:
        self.told.append(message)

    info = warning = error = debug


async def end_executions(database: Database, ages_days: Sequence[float], chunks: int = 2) -> list[int]:
    """Store executions that ended so long ago, each with chunks; their ids."""
    ids = []
    for number, age_days in enumerate(ages_days):
        ended_ms = round(NOW_MS - age_days * DAY_MS)
        async with database.begin() as connection:
            jobs = await ensure_jobs(connection, [JobSpec("work", "kline", "backfill", "")], 1)
            queued = QueuedExecution(
                jobs["work"], "work", "backfill_kline", "{}", f"work_{ended_ms}_{number}", 0, None
            )
            (one,) = await insert_executions(connection, [queued], ended_ms - 2_000)
            await claim_executions(
                connection,
                worker_id="w",
                now_ms=ended_ms - 1_000,
                lease_until_ms=ended_ms,
                limit=1,
                handlers=["backfill_kline"],
            )
            state = (await lock_executions(connection, [one]))[one]
            planned = [PlannedChunk(f"chunk {key}", "q", '{"n": 1}', 0, "broken") for key in range(chunks)]
            await insert_chunks(connection, one, 0, planned, ended_ms)
            await start_running(connection, state, chunks=chunks, failed=chunks, counters={"processed": 7})
            state = (await lock_executions(connection, [one]))[one]
            await close_executions(connection, [Closing(state, "w")], ended_ms)
        ids.append(one)
    return ids


def handler(cleaned: Cleaned, bounds: Mapping[str, int] = BOUNDS, rows_per_part: int = 3) -> CleanupHandler:
    return CleanupHandler(cleaned, bounds, lambda: NOW_MS, rows_per_part)


async def clean(made: CleanupHandler, **parameters: Any) -> dict[str, int]:  # noqa: ANN401
    plan = await made.plan(RunningExecution(1, "cleanup", "cleanup_1", parameters, 0), Lines())
    (planned,) = plan.chunks
    running = RunningChunk(1, 1, "cleanup_1", planned.key, planned.queue, planned.parameters, 1)
    return dict(await made.run(running, Lines()))


async def stored(database: Database) -> list[int]:
    async with database.read() as connection:
        return sorted((await connection.execute(select(execution.c.id))).scalars())


async def test_old_executions_go_with_their_chunks_and_their_sums_stay(database: Database) -> None:
    ids = await end_executions(database, [200, 100, 91, 90.01, 89.9, 3, 0])
    assert await clean(handler(CleanedExecutions(database))) == {
        "deleted_executions": 4,
        "deleted_chunks": 8,
    }
    assert await stored(database) == ids[4:]
    async with database.read() as connection:
        assert set((await connection.execute(select(chunk.c.execution_id))).scalars()) == set(ids[4:])
        did = await sum_statistics(connection, 1)
        rows, total = await list_executions(connection, search="failed")
        tallied = await connection.execute(select(execution_tally.c.executions))
        assert (did.runs, did.failures, did.processed) == (7, 7, 49)
        assert ([row.id for row in rows], total) == (ids[:3:-1], 3)
        assert sorted(tallied.scalars()) == [1, 1, 1]  # of the days that are empty nothing is left
    assert await clean(handler(CleanedExecutions(database))) == {}


async def test_the_newest_stay_however_old_they_are(database: Database) -> None:
    ids = await end_executions(database, [500, 400, 300, 200, 100])
    assert (await clean(handler(CleanedExecutions(database)), max_count=2))["deleted_executions"] == 3
    assert await stored(database) == ids[3:]
    assert await clean(handler(CleanedExecutions(database)), max_count=2) == {}
    assert (await clean(handler(CleanedExecutions(database)), max_count=0))["deleted_executions"] == 2


async def test_both_bounds_hold_when_both_are_given(database: Database) -> None:
    ids = await end_executions(database, [200, 50, 40, 30])
    assert (await clean(handler(CleanedExecutions(database)), max_count=2, max_age_days=35)) == {
        "deleted_executions": 3,
        "deleted_chunks": 6,
    }
    assert await stored(database) == ids[3:]


async def test_what_has_not_ended_is_never_touched(database: Database) -> None:
    (ended,) = await end_executions(database, [200])
    async with database.begin() as connection:
        queued = [QueuedExecution(1, "work", "backfill_kline", "{}", f"t{n}", 0, None) for n in range(2)]
        open_ones = await insert_executions(connection, queued, 5)
        states = await claim_executions(
            connection, worker_id="w", now_ms=6, lease_until_ms=7, limit=1, handlers=["backfill_kline"]
        )
        await start_running(connection, states[0], chunks=1, failed=0, counters={})
        await insert_chunks(connection, states[0].id, 0, [PlannedChunk("k", "q", "{}", 0)], 6)
    await clean(handler(CleanedExecutions(database)), max_count=0, max_age_days=1)
    assert await stored(database) == open_ones
    await CleanedExecutions(database).delete([ended, *open_ones[:1]])
    assert await stored(database) == open_ones
    async with database.read() as connection:
        statuses = (await connection.execute(select(execution.c.status).order_by(execution.c.id))).scalars()
        assert set(statuses) == {"PENDING", "RUNNING"}


async def test_an_execution_that_ran_long_counts_from_its_end(database: Database) -> None:
    (one,) = await end_executions(database, [10])
    async with database.begin() as connection:
        await connection.execute(execution.update().values(started_ms=NOW_MS - 100 * DAY_MS))
    assert await CleanedExecutions(database).find(Expiry(NOW_MS - 90 * DAY_MS, None), 10) == []
    assert await CleanedExecutions(database).find(Expiry(NOW_MS - 9 * DAY_MS, None), 10) == [one]


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
async def test_what_is_deleted_is_in_the_files(database: Database, tmp_path: Path, format_name: str) -> None:
    ids = await end_executions(database, [200, 190, 180, 170, 1])
    folder = tmp_path / "kept" / "here"
    did = await clean(handler(CleanedExecutions(database)), export_dir=str(folder), export_format=format_name)
    assert did == {"deleted_executions": 4, "deleted_chunks": 8, "exported": 12}
    read = {"jsonl": read_lines, "parquet": read_parquet}[format_name]
    executions = [row for path in sorted(folder.glob("executions_*")) for row in read(path)]
    chunks = [row for path in sorted(folder.glob("chunks_*")) for row in read(path)]
    assert sorted(int(row["id"]) for row in executions) == ids[:4]
    assert len(list(folder.iterdir())) == 4  # two parts of two kinds, and nothing half-written
    assert sorted({row["execution_id"] for row in chunks}) == sorted(str(one) for one in ids[:4])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    first = next(row for row in executions if row["id"] == str(ids[0]))
    assert (first["status"], first["job_name"]) == ("FAILURE", "work")
    if format_name == "jsonl":
        assert first["completed_at"] == "1970-07-20T00:00:00Z"
        assert first["result"]["processed"] == 7
        assert chunks[0]["parameters"] == {"n": 1}
    else:
        assert first["completed_at"].timestamp() * 1000 == NOW_MS - 200 * DAY_MS
        assert orjson.loads(first["result"])["processed"] == 7


def read_lines(path: Path) -> list[dict[str, Any]]:
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        return [orjson.loads(line) for line in io.BytesIO(stream.read())]


def read_all(folder: Path, pattern: str) -> list[dict[str, Any]]:
    return [row for path in folder.glob(pattern) for row in read_lines(path)]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


async def test_a_failed_export_deletes_nothing_and_leaves_nothing(database: Database, tmp_path: Path) -> None:
    ids = await end_executions(database, [200, 190])
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"cannot export to .*taken.*nothing was deleted"):
        await clean(handler(CleanedExecutions(database)), export_dir=str(taken))
    assert await stored(database) == ids


@dataclass
class Torn:
    """Executions whose deletion is cut off after the export, or whose reading fails in the middle of one."""

    inner: CleanedExecutions
    reads_left: int = 100
    deletes_left: int = 100

    async def find_last(self, max_count: int) -> Place | None:
        return await self.inner.find_last(max_count)

    async def find(self, expiry: Expiry, limit: int) -> list[int]:
        return await self.inner.find(expiry, limit)

    async def read(self, ids: Sequence[int]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ConnectionResetError
        return await self.inner.read(ids)

    async def delete(self, ids: Sequence[int]) -> Mapping[str, int]:
        self.deletes_left -= 1
        if self.deletes_left < 0:
            raise ConnectionResetError
        return await self.inner.delete(ids)

    async def tidy(self, before_ms: int) -> None:
        await self.inner.tidy(before_ms)


async def test_what_was_cut_off_goes_on_and_no_row_is_in_no_file(database: Database, tmp_path: Path) -> None:
    ids = await end_executions(database, [200, 190, 180, 170, 160])
    torn = Torn(CleanedExecutions(database), deletes_left=1)
    with pytest.raises(ConnectionResetError):
        await clean(handler(torn), export_dir=str(tmp_path))
    assert await stored(database) == ids[3:]
    did = await clean(handler(CleanedExecutions(database)), export_dir=str(tmp_path))
    assert did["deleted_executions"] == 2
    kept = [int(row["id"]) for row in read_all(tmp_path, "executions_*")]
    assert sorted(kept) == [*ids[:3], ids[3], ids[3], ids[4], ids[4]]


async def test_an_export_that_breaks_off_leaves_no_half_file(database: Database, tmp_path: Path) -> None:
    ids = await end_executions(database, [200, 190])
    torn = Torn(CleanedExecutions(database), reads_left=1)
    with pytest.raises(ConnectionResetError):
        await clean(replace(handler(torn), rows_per_read=1), export_dir=str(tmp_path / "kept"))
    assert names_in(tmp_path / "kept") == []  # the folder is there: the first row was written
    assert await stored(database) == ids


async def test_a_folder_must_be_named_in_full(database: Database) -> None:
    with pytest.raises(InputError, match="export_dir 'here' is not an absolute path"):
        await clean(handler(CleanedExecutions(database)), export_dir="here")


async def test_old_lines_go_and_the_lists_stay_right(database: Database, tmp_path: Path) -> None:
    times = [NOW_MS - age * DAY_MS for age in (100, 95, 91, 20, 10, 1)]
    async with database.begin() as connection:
        await insert_logs(connection, [NewLogLine(at, "INFO", f"at {at}", "t", 1, 1, "w") for at in times])
    async with database.begin() as connection:
        settled_id = await find_settled_id(connection)
    async with database.begin() as connection:
        await tally_lines(connection, settled_id, 2)  # one that goes is behind the mark
    did = await clean(handler(CleanedLines(database), rows_per_part=2), export_dir=str(tmp_path))
    assert did == {"deleted_logs": 3, "exported": 3}
    async with database.read() as connection:
        rows, total = await list_logs(connection)
        assert ([row.timestamp_ms for row in rows], total) == (times[3:], 3)
        assert (await connection.execute(select(func.count()).select_from(log_tally))).scalar_one() == 0
    kept = read_all(tmp_path, "logs_*")
    assert sorted(row["message"] for row in kept) == sorted(f"at {at}" for at in times[:3])
    assert (await clean(handler(CleanedLines(database)), max_count=1))["deleted_logs"] == 2


async def test_old_rows_of_the_audit_go(database: Database) -> None:
    async with database.begin() as connection:
        for age in (400, 366, 10):
            act = Act(Caller(None, "local:me", "local"), "job.run")
            await insert_audit(connection, act, "x", {"age": age}, NOW_MS - age * DAY_MS)
    did = await clean(handler(CleanedAudit(database), {"max_age_days": 365}))
    assert did == {"deleted_audit": 2}
    async with database.read() as connection:
        assert (await connection.execute(select(audit.c.details))).scalars().all() == ['{"age":10}']


async def test_thousands_go_in_small_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = await end_executions(database, [200])
    async with database.begin() as connection:
        rows = [
            {
                "execution_id": one,
                "key": f"more {n}",
                "queue": "q",
                "parameters": "{}",
                "status": "DONE",
                "execution_priority": 0,
                "priority": 0,
                "claims": 1,
                "attempts": 1,
                "crashes": 0,
                "not_before_ms": 0,
            }
            for n in range(4_500)
        ]
        await connection.execute(insert(chunk), rows)
    begins = 0
    begin: Callable[..., Any] = database.begin

    def counted(**options: bool) -> Any:  # noqa: ANN401
        nonlocal begins
        begins += 1
        return begin(**options)

    monkeypatch.setattr(database, "begin", counted)
    assert (await clean(handler(CleanedExecutions(database))))["deleted_chunks"] == 4_502
    assert begins == 4 + 1 + 1  # chunks by two thousand until none is left, their execution, the empty day

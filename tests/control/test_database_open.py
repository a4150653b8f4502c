import asyncio
import stat
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text, update

from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec, ensure_jobs, get_job
from markethub.control.migrate import script_config
from markethub.control.schema import SCHEMA_REVISION, job, metadata
from markethub.domain.errors import ConflictError, InputError, StoreError, UnavailableError

on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def test_the_code_is_written_for_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(script_config()).get_heads() == [SCHEMA_REVISION]


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
async def test_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    def index_names(connection: Connection) -> set[str | None]:
        names: set[str | None] = set()
        for table in metadata.tables:
            names |= {index["name"] for index in inspect(connection).get_indexes(table)}
        return names

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        if database.dialect == "postgresql":  # SQLite does not show indexes on expressions
            ours = {index.name for table in metadata.tables.values() for index in table.indexes}
            assert ours <= await connection.run_sync(index_names)


async def test_opening_again_keeps_what_is_stored(database: Database, database_url: str, job_id: int) -> None:
    again = await open_database(database_url)
    async with again.read() as connection:
        assert (await get_job(connection, "backfill_kline")).id == job_id
    await again.close()


async def test_a_newer_schema_is_refused(database: Database, database_url: str) -> None:
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=f"schema 9999, newer than {SCHEMA_REVISION}"):
        await open_database(database_url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not an address"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://user:secret@host/name", "'mysql' is not one of"),
        ("control.db", "not an address"),
        ("//:secret:x", "not an address"),
    ],
)
async def test_an_address_we_cannot_use(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        await open_database(url)
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        await open_database(f"postgresql://user:secret@/name?host={tmp_path}")


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    path.write_bytes(b"kline," * 1_000)
    with pytest.raises(StoreError, match="not a database"):
        await open_database(f"sqlite:///{path}")


async def test_a_new_file_is_private_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "control.db"
    await (await open_database(f"sqlite:///{path}")).close()
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


async def test_an_error_rolls_the_transaction_back(database: Database, job_id: int) -> None:
    with pytest.raises(RuntimeError, match="stop"):  # noqa: PT012 - the block is what is tested
        async with database.begin() as connection:
            await connection.execute(update(job).values(description="changed"))
            raise RuntimeError("stop")
    async with database.read() as connection:
        assert (await get_job(connection, str(job_id))).description == "Klines"


async def test_a_cancelled_transaction_is_rolled_back_and_frees_the_lock(
    database: Database, job_id: int
) -> None:
    inside = asyncio.Event()

    async def write_for_ever() -> None:
        async with database.begin() as connection:
            await connection.execute(update(job).values(description="changed"))
            inside.set()
            while True:
                await connection.execute(select(func.count()).select_from(job))

    writing = asyncio.create_task(write_for_ever())
    await inside.wait()
    writing.cancel()
    await asyncio.wait([writing])
    async with asyncio.timeout(10), database.begin() as connection:
        assert (await get_job(connection, str(job_id))).description == "Klines"


async def test_a_reader_sees_the_state_before_and_does_not_wait(database: Database, job_id: int) -> None:
    async with database.begin() as writing:
        await writing.execute(update(job).values(description="changed"))
        async with asyncio.timeout(10), database.read() as reading:
            assert (await get_job(reading, str(job_id))).description == "Klines"


async def test_writers_of_one_process_queue_up(database: Database, job_id: int) -> None:
    async def add_one() -> None:
        async with database.begin() as connection:
            row = select(job.c.max_instances).where(job.c.id == job_id).with_for_update()
            count = (await connection.execute(row)).scalar_one()
            await asyncio.sleep(0)
            await connection.execute(update(job).values(max_instances=count + 1))

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with database.read() as connection:
        assert (await get_job(connection, str(job_id))).max_instances == 21


async def test_a_taken_key_is_a_conflict_without_the_values(database: Database, job_id: int) -> None:
    specs = [JobSpec("another", "kline", "backfill", "secret words")]
    async with database.begin() as connection:
        await ensure_jobs(connection, specs, 1)
    with pytest.raises(ConflictError) as caught:
        async with database.begin() as connection:
            await connection.execute(update(job).where(job.c.id == job_id).values(name="another"))
    assert "secret words" not in str(caught.value)
    assert "UPDATE" not in str(caught.value)


async def test_a_statement_the_database_refuses_is_a_store_error(database: Database) -> None:
    expected = UnavailableError if database.dialect == "sqlite" else StoreError
    with pytest.raises(expected):
        async with database.read() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere"))


async def test_durable_commits_are_synced_and_others_are_not(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'control.db'}")
    seen = []
    for durable in (False, True, True, False):
        async with database.begin(durable=durable) as connection:
            seen.append((await connection.execute(text("PRAGMA synchronous"))).scalar_one())
    await database.close()
    assert seen == [1, 2, 2, 1]  # NORMAL, FULL


@on_postgres
async def test_messages_reach_listeners_at_commit(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(database.listen(heard.put_nowait))
    try:
        async with asyncio.timeout(30):
            while heard.empty():  # until LISTEN has reached the server
                async with database.begin() as connection:
                    await database.notify(connection, "hello")
                await asyncio.sleep(0.01)
            while not heard.empty():
                assert heard.get_nowait() == "hello"
            with pytest.raises(RuntimeError, match="stop"):  # noqa: PT012 - the block is what is tested
                async with database.begin() as connection:
                    await database.notify(connection, "rolled back")
                    raise RuntimeError("stop")
            async with database.begin() as connection:
                await database.notify(connection, "done")
            while (message := await heard.get()) == "hello":
                continue
            assert message == "done"
    finally:
        listening.cancel()
        await asyncio.wait([listening])


@on_postgres
async def test_a_lost_listener_says_so(database: Database) -> None:
    listening = asyncio.create_task(database.listen(lambda _: None))
    kill = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    async with asyncio.timeout(30):
        while not listening.done():
            async with database.begin() as connection:
                await connection.execute(kill)
            await asyncio.sleep(0.01)
    with pytest.raises(UnavailableError, match="listening connection was lost"):
        await listening


@on_postgres
async def test_the_server_clock_is_followed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    true_ms = database.clock()
    monkeypatch.setattr("markethub.control.postgres.system_clock", lambda: true_ms - 3_600_000)
    assert database.clock() < true_ms - 3_000_000
    await database.synchronise_clock()
    assert abs(database.clock() - true_ms) < 60_000


_WRITER = """
import asyncio, sys
from sqlalchemy import select, update
from markethub.control.database import open_database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.schema import job
async def main():
    print("imported", flush=True)
    sys.stdin.readline()
    database = await open_database(sys.argv[1])
    async with database.begin() as connection:
        await ensure_jobs(connection, [JobSpec("j", "kline", "backfill", "d")], 1)
    for _ in range(100):
        async with database.begin() as connection:
            count = (await connection.execute(select(job.c.next_run_ms))).scalar_one()
            await connection.execute(update(job).values(next_run_ms=(count or 0) + 1))
    await database.close()
asyncio.run(main())
"""


async def test_two_processes_open_a_missing_file_at_once_and_lose_no_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'control.db'}"
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITER, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"imported\n"
    await asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    assert [writer.returncode for writer in writers] == [0, 0]
    database = await open_database(url)
    async with database.read() as connection:
        assert (await get_job(connection, "j")).next_run_ms == 200
    await database.close()


@on_postgres
async def test_a_pooled_connection_that_the_server_closed_is_not_handed_out(
    database: Database, database_url: str, job_id: int
) -> None:
    async with database.read() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    admin = await open_database(database_url)
    kill = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with admin.begin() as connection:
        assert (await connection.execute(kill)).scalars().first()
    while not driver.is_closed():  # noqa: ASYNC110 - asyncpg has no event for it
        await asyncio.sleep(0.005)
    async with database.read() as connection:
        assert (await get_job(connection, "backfill_kline")).id == job_id
    await admin.close()

import itertools
from functools import partial

import pytest
from sqlalchemy import select, text, update

from markethub.control.database import Database
from markethub.control.execution_tally import DAY_MS
from markethub.control.executions import (
    ORDER_FIELDS,
    SEARCH_WORDS,
    QueuedExecution,
    find_by_trace,
    get_execution,
    insert_executions,
    list_executions,
)
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.listing import ordering
from markethub.control.schema import execution, started_or_created
from markethub.control.statistics import EndedRun, add_ended_runs
from markethub.domain.errors import ConflictError, InputError, NotFoundError
from markethub.domain.execution import ExecutionStatus


@pytest.fixture
async def history(database: Database) -> list[int]:
    """Ids of five executions of two jobs: queued, running, then one of each ending; started 1 s apart."""
    async with database.begin() as connection:
        jobs = await ensure_jobs(
            connection,
            [JobSpec("backfill_kline", "kline", "backfill", ""), JobSpec("sync%all_X", "symbol", "sync", "")],
            1,
        )
        names = ["backfill_kline", "sync%all_X", "backfill_kline", "sync%all_X", "backfill_kline"]
        ids = []
        for number, name in enumerate(names):
            queued = QueuedExecution(
                jobs[name], name, "backfill_kline", f'{{"n": {number}}}', f"trace-{number}", 0, None
            )
            ids += await insert_executions(connection, [queued], 1_000 * number)
        for number, status in enumerate(ExecutionStatus):
            values: dict[str, object] = {"status": status.value}
            if status is not ExecutionStatus.PENDING:
                values |= {"started_ms": 1_000 * number + 500, "worker_id": f"w{number}"}
            if status.is_final:
                values |= {"completed_ms": 9_000, "duration_ms": 100 - number, "result": '{"inserted": 1}'}
            await connection.execute(update(execution).where(execution.c.id == ids[number]).values(**values))
            if status.is_final:
                begun_ms = 1_000 * number + 500
                run = EndedRun(jobs[names[number]], status, begun_ms, 9_000, 100 - number, {"inserted": 1})
                await add_ended_runs(connection, [run])
    return ids


async def test_what_is_stored_comes_back(database: Database, history: list[int]) -> None:
    async with database.read() as connection:
        queued = await get_execution(connection, history[0])
        ended = await find_by_trace(connection, "trace-2")
        assert await find_by_trace(connection, "trace-9") is None
        assert await find_by_trace(connection, "trace\x00") is None
        with pytest.raises(NotFoundError, match="Execution not found: 999"):
            await get_execution(connection, 999)
    assert (queued.status, queued.started_ms, queued.result, queued.parameters) == (
        ExecutionStatus.PENDING,
        None,
        None,
        {"n": 0},
    )
    assert ended is not None
    assert (ended.id, ended.status, ended.result) == (history[2], ExecutionStatus.SUCCESS, {"inserted": 1})


async def test_ids_come_in_the_order_given(database: Database, job_id: int) -> None:
    queued = [
        QueuedExecution(job_id, "backfill_kline", "backfill_kline", "{}", f"t{n}", 0, None)
        for n in range(300)
    ]
    async with database.begin() as connection:
        ids = await insert_executions(connection, queued, 1)
        assert await insert_executions(connection, [], 1) == []
        found = [await find_by_trace(connection, f"t{n}") for n in (0, 150, 299)]
    assert [one.id for one in found if one] == [ids[0], ids[150], ids[299]]


async def test_a_trace_id_is_taken_once(database: Database, execution_id: int, job_id: int) -> None:
    taken = QueuedExecution(
        job_id, "backfill_kline", "backfill_kline", "{}", "backfill_kline_aaaa1111", 0, None
    )
    with pytest.raises(ConflictError):
        async with database.begin() as connection:
            await insert_executions(connection, [taken], 1)


async def test_newest_first_by_default(database: Database, history: list[int]) -> None:
    async with database.read() as connection:
        rows, total = await list_executions(connection)
        assert [row.id for row in rows] == history[::-1]
        assert total == 5
        rows, total = await list_executions(connection, limit=2, offset=1, order_desc=False)
        assert ([row.id for row in rows], total) == (history[1:3], 5)
        assert await list_executions(connection, offset=5) == ([], 5)


async def test_every_field_orders_both_ways_and_missing_values_count_as_smallest(
    database: Database, history: list[int]
) -> None:
    async with database.read() as connection:
        for field in ORDER_FIELDS:
            up, _ = await list_executions(connection, order_by=field, order_desc=False)
            down, _ = await list_executions(connection, order_by=field, order_desc=True)
            assert [row.id for row in up] == [row.id for row in down][::-1]
            assert sorted(row.id for row in up) == history
        up, _ = await list_executions(connection, order_by="completed_at", order_desc=False)
        assert [row.completed_ms for row in up] == [None, None, 9_000, 9_000, 9_000]


async def test_an_unknown_field_is_refused_with_the_allowed_ones(database: Database) -> None:
    async with database.read() as connection:
        with pytest.raises(InputError, match="order_by 'lease_until_ms' is not one of id, job_id, job_name"):
            await list_executions(connection, order_by="lease_until_ms")


async def test_search_takes_parts_of_name_and_status_and_the_words(
    database: Database, history: list[int]
) -> None:
    cases = {word: [list(ExecutionStatus).index(status)] for word, status in SEARCH_WORDS.items()}
    cases |= {
        " Failed ": [3],
        "FAILURE": [3],
        "fail": [3],
        "ing": [0, 1],
        "KLINE": [0, 2, 4],
        "%": [1, 3],
        "_": [0, 1, 2, 3, 4],
        "k_ine": [],
        "/": [],
        "\\": [],
        "'; DROP TABLE execution; --": [],
        "数据": [],
    }
    async with database.read() as connection:
        for search, expected in cases.items():
            rows, total = await list_executions(connection, search=search, order_by="id", order_desc=False)
            assert (search, [history.index(row.id) for row in rows]) == (search, expected)
            assert total == len(expected)
        for search in ("a\x00b", "\ud800"):
            with pytest.raises(InputError, match="cannot be stored"):
                await list_executions(connection, search=search)


async def test_time_bounds_are_half_open_and_a_queued_one_counts_with_its_creation(
    database: Database, history: list[int]
) -> None:
    async with database.read() as connection:
        rows, total = await list_executions(connection, after_ms=1_500, before_ms=3_500)
        assert ([row.id for row in rows], total) == ([history[2], history[1]], 2)
        rows, _ = await list_executions(connection, before_ms=1)
        assert [row.id for row in rows] == [history[0]]


async def test_executions_of_one_job(database: Database, history: list[int]) -> None:
    async with database.read() as connection:
        job_id = (await get_execution(connection, history[1])).job_id
        rows, total = await list_executions(connection, job_id=job_id, search="failed")
    assert ([row.id for row in rows], total) == ([history[3]], 1)


async def test_a_window_that_cannot_be(database: Database) -> None:
    async with database.read() as connection:
        for limit, offset in [(0, 0), (-1, 0), (1, -1), (1, 2**63)]:
            with pytest.raises(InputError, match="limit"):
                await list_executions(connection, limit=limit, offset=offset)


async def test_the_default_list_reads_an_index_in_order(database: Database) -> None:
    order = ordering(ORDER_FIELDS, "started_at", descending=True, tie=execution.c.id)
    statement = select(execution.c.id).order_by(*order).limit(50)
    explain = "EXPLAIN" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    await _fill(database, 2_000)
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE"))
        sql = statement.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {sql}")))
    assert "ix_execution_started" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


async def _fill(database: Database, count: int) -> None:
    async with database.begin() as connection:
        (job_id,) = (await ensure_jobs(connection, [JobSpec("j", "kline", "backfill", "")], 1)).values()
        queued = [
            QueuedExecution(job_id, "j", "backfill_kline", "{}", f"fill-{n}", 0, None) for n in range(count)
        ]
        await insert_executions(connection, queued, 1)


async def test_pages_from_either_end_join_into_one_list(database: Database, history: list[int]) -> None:
    async with database.read() as connection:
        for field in ORDER_FIELDS:
            for order_desc in (False, True):
                whole, _ = await list_executions(connection, order_by=field, order_desc=order_desc)
                for limit in (1, 2, 3):
                    pages = [
                        await list_executions(
                            connection, order_by=field, order_desc=order_desc, limit=limit, offset=offset
                        )
                        for offset in range(0, len(history), limit)
                    ]
                    assert [row for rows, _ in pages for row in rows] == whole
                    assert {total for _, total in pages} == {5}


async def test_a_jobs_own_history_is_searched_by_status_only(database: Database, history: list[int]) -> None:
    async with database.read() as connection:
        job_id = (await get_execution(connection, history[0])).job_id
        assert await list_executions(connection, job_id=job_id, search="kline") == ([], 0)
        rows, total = await list_executions(connection, job_id=job_id, search="completed")
    assert ([row.id for row in rows], total) == ([history[2]], 1)


@pytest.mark.parametrize(
    ("index", "of_one_job"),
    [("ix_execution_status_started", False), ("ix_execution_job_status_started", True)],
)
async def test_one_status_is_read_from_its_index(database: Database, index: str, of_one_job: bool) -> None:
    await _fill(database, 2_000)
    statement = select(execution.c.id).where(execution.c.status == "FAILURE")
    if of_one_job:
        statement = statement.where(execution.c.job_id == 1)
    order = ordering(ORDER_FIELDS, "started_at", descending=True, tie=execution.c.id)
    statement = statement.order_by(*order).limit(50)
    explain = "EXPLAIN" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    async with database.begin() as connection:
        await connection.execute(update(execution).where(execution.c.id % 20 == 7).values(status="FAILURE"))
        await connection.execute(text("ANALYZE"))
        sql = statement.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {sql}")))
    assert index in plan
    assert "TEMP B-TREE" not in plan  # so few rows PostgreSQL rather sorts


async def test_what_is_skipped_is_read_from_the_index_alone(database: Database) -> None:
    await _fill(database, 2_000)
    for where, index in (
        ((), "ix_execution_started"),
        ((execution.c.job_id == 1,), "ix_execution_job_started"),
        ((execution.c.status == "PENDING",), "ix_execution_status_started"),
    ):
        statement = select(execution.c.id).where(*where).order_by(started_or_created, execution.c.id)
        explain = "EXPLAIN" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
        async with database.begin() as connection:
            if database.dialect == "postgresql":  # so few rows are quicker to sort
                await connection.execute(text("SET LOCAL enable_sort = off"))
                await connection.execute(text("SET LOCAL enable_seqscan = off"))
            sql = (
                statement.limit(5)
                .offset(1_000)
                .compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
            )
            plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {sql}")))
        assert index in plan
        if database.dialect == "postgresql":  # SQLite puts the visit of the row off until it needs it
            assert "Index Only Scan" in plan


async def test_pages_of_many_days_join_into_one_list(database: Database) -> None:
    async with database.begin() as connection:
        (job_id,) = (await ensure_jobs(connection, [JobSpec("j", "kline", "backfill", "")], 1)).values()
        for number, days in enumerate([0, 0, 0, 1, 3, 3, 3, 3, 9, 9]):
            queued = QueuedExecution(job_id, "j", "backfill_kline", "{}", f"t{number}", 0, None)
            await insert_executions(connection, [queued], days * DAY_MS + number)
        ended = [EndedRun(job_id, ExecutionStatus.SUCCESS, 3 * DAY_MS + 5, 9 * DAY_MS, 1, {})]
        done = {"status": "SUCCESS", "completed_ms": 9 * DAY_MS}
        await connection.execute(update(execution).where(execution.c.trace_id == "t5").values(**done))
        await add_ended_runs(connection, ended)
    spans = [(None, None), (2, None), (None, 3 * DAY_MS + 6), (1, DAY_MS + 4)]
    async with database.read() as connection:
        for (after_ms, before_ms), order_desc in itertools.product(spans, (False, True)):
            asked = partial(
                list_executions, connection, after_ms=after_ms, before_ms=before_ms, order_desc=order_desc
            )
            whole, total = await asked()
            assert len(whole) == total
            assert await asked(order_by="id") == (whole, total)
            for limit in (1, 2, 3, 7):
                pages = [await asked(limit=limit, offset=offset) for offset in range(0, total + 3, limit)]
                assert [row for rows, _ in pages for row in rows] == whole

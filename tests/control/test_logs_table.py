import pytest
from sqlalchemy import select, text

from markethub.control.database import Database
from markethub.control.logs import NewLogLine, insert_logs, list_logs
from markethub.control.schema import log
from markethub.domain.errors import InputError


def line(
    time_ms: int, message: str, level: str = "INFO", trace: str = "backfill_kline_aaaa1111"
) -> NewLogLine:
    return NewLogLine(time_ms, level, message, trace, 1, 1, "w1")


async def write(database: Database, *lines: NewLogLine) -> None:
    async with database.begin() as connection:
        await insert_logs(connection, lines)


async def test_oldest_first_and_lines_of_one_millisecond_as_written(database: Database) -> None:
    await write(database, line(2, "b"), line(2, "c"), line(1, "a"), line(3, "d"))
    await write(database)
    async with database.read() as connection:
        rows, total = await list_logs(connection)
        assert ([row.message for row in rows], total) == (["a", "b", "c", "d"], 4)
        rows, total = await list_logs(connection, order_desc=True, limit=2, offset=1)
        assert ([row.message for row in rows], total) == (["c", "b"], 4)
    assert (rows[0].timestamp_ms, rows[0].level, rows[0].worker_id, rows[0].execution_id) == (
        2,
        "INFO",
        "w1",
        1,
    )


async def test_by_trace_id_job_name_and_number(database: Database, job_id: int) -> None:
    mine = NewLogLine(1, "INFO", "mine", "backfill_kline_aaaa1111", job_id, 1, None)
    other = NewLogLine(1, "INFO", "other", "sync_bbbb2222", job_id + 1, 2, None)
    await write(database, mine, other)
    async with database.read() as connection:
        for about in ("backfill_kline_aaaa1111", "backfill_kline", str(job_id)):
            rows, total = await list_logs(connection, job_id=about)
            assert ([row.message for row in rows], total) == (["mine"], 1)
        assert await list_logs(connection, job_id="nobody") == ([], 0)


async def test_level_search_and_time(database: Database) -> None:
    await write(
        database,
        line(10, "100% of BTC_USDT.BNC"),
        line(20, "Chunk FAILED", "ERROR"),
        line(30, "chunk failed again", "WARNING"),
    )
    async with database.read() as connection:

        async def messages(**filters: str | int) -> list[str]:
            rows, total = await list_logs(connection, **filters)  # type: ignore[arg-type] # mixed on purpose
            assert total == len(rows)
            return [row.message for row in rows]

        assert await messages(level="error") == ["Chunk FAILED"]
        assert await messages(search="chunk fail") == ["Chunk FAILED", "chunk failed again"]
        assert await messages(search="0%") == ["100% of BTC_USDT.BNC"]
        assert await messages(search="C_U") == ["100% of BTC_USDT.BNC"]
        assert await messages(search="h_nk") == []
        assert await messages(after_ms=10, before_ms=30) == ["100% of BTC_USDT.BNC", "Chunk FAILED"]
        assert await messages(after_ms=31) == []


async def test_questions_that_cannot_be_answered(database: Database) -> None:
    async with database.read() as connection:
        with pytest.raises(InputError, match="level 'LOUD' is not one of DEBUG, INFO, WARNING, ERROR"):
            await list_logs(connection, level="LOUD")
        with pytest.raises(InputError, match="cannot be stored"):
            await list_logs(connection, search="a\x00")
        with pytest.raises(InputError, match="cannot be stored"):
            await list_logs(connection, job_id="a\x00")
        with pytest.raises(InputError, match="limit 0"):
            await list_logs(connection, limit=0)


async def test_a_trace_is_paged_from_its_index_without_sorting(database: Database) -> None:
    await write(database, *(line(n, "m", trace=f"t{n % 50}") for n in range(3_000)))
    statement = (
        select(log.c.message)
        .where(log.c.trace_id == "t7")
        .order_by(log.c.timestamp_ms.desc(), log.c.id.desc())
        .limit(5)
    )
    explain = "EXPLAIN" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE"))
        sql = statement.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {sql}")))
    assert "ix_log_trace" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan

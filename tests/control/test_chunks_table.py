import asyncio

import pytest
from sqlalchemy import text

from markethub.control.chunks import (
    ClaimedChunk,
    PlannedChunk,
    claim_chunks,
    count_pending_chunks,
    drop_open_chunks,
    expired_chunks,
    failed_chunks,
    insert_chunks,
    lock_chunks,
    renew_chunks,
)
from markethub.control.database import Database
from markethub.domain.errors import ConflictError


def planned(key: str, queue: str = "BNC", priority: int = 0, error: str | None = None) -> PlannedChunk:
    return PlannedChunk(key, queue, "{}", priority, error)


async def insert(database: Database, execution_id: int, *chunks: PlannedChunk, priority: int = 0) -> None:
    async with database.begin() as connection:
        await insert_chunks(connection, execution_id, priority, chunks, 1_000)


async def claim(
    database: Database,
    limit: int = 10,
    *,
    room: dict[str, int] | None = None,
    now_ms: int = 1_000,
    job: str = "backfill_kline",
) -> list[ClaimedChunk]:
    async with database.begin() as connection:
        return await claim_chunks(
            connection,
            worker_id="w1",
            now_ms=now_ms,
            lease_until_ms=now_ms + 500,
            limit=limit,
            handlers=[job],
            room=room or {},
        )


def keys(claimed: list[ClaimedChunk]) -> list[str]:
    return [one.key for one in claimed]


async def test_claims_go_by_priority_then_age_and_never_twice(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, planned("a"), planned("b", priority=5), planned("c"))
    assert keys(await claim(database, 2)) == ["b", "a"]
    assert keys(await claim(database, 2)) == ["c"]
    assert await claim(database, 2) == []


async def test_a_claim_names_its_lease_and_its_work(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, planned("a"))
    (claimed,) = await claim(database)
    assert (claimed.claims, claimed.attempts, claimed.trace_id, claimed.handler) == (
        1,
        0,
        "backfill_kline_aaaa1111",
        "backfill_kline",
    )


async def test_other_jobs_and_chunks_not_yet_due_are_left(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, planned("a"))
    assert await claim(database, job="another") == []
    assert await claim(database, now_ms=999) == []
    assert keys(await claim(database)) == ["a"]


async def test_a_full_queue_is_passed_over_for_what_stands_behind(
    database: Database, execution_id: int
) -> None:
    chunks = [planned(f"b{n}", "BNC") for n in range(5)] + [planned(f"o{n}", "OKX") for n in range(5)]
    await insert(database, execution_id, *chunks, planned("g0", "GIO"))
    assert keys(await claim(database, 4, room={"BNC": 1, "OKX": 2})) == ["b0", "o0", "o1", "g0"]
    assert await claim(database, 4, room={"BNC": 0, "OKX": -1}) == []
    assert keys(await claim(database, 3)) == ["b1", "b2", "b3"]


async def test_claims_made_at_once_share_the_chunks(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, *(planned(str(n)) for n in range(40)))
    batches = await asyncio.gather(*(claim(database, 10) for _ in range(4)))
    taken = [one.id for batch in batches for one in batch]
    assert len(taken) == len(set(taken))
    # on PostgreSQL a batch may fall short of rows that another one held; what is left can be claimed now
    assert len(taken) + len(await claim(database, 40)) == 40


async def test_only_leases_still_held_are_renewed(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, planned("a"), planned("b"))
    first, second = await claim(database)
    async with database.begin() as connection:
        held = {first.id: first.claims, second.id: second.claims + 1, 999: 1}
        assert await renew_chunks(connection, held, 9_000) == {first.id}
        assert await renew_chunks(connection, {}, 9_000) == set()
        expired = await expired_chunks(connection, 8_000, 10)
    assert [one.id for one in expired] == [second.id]
    assert expired[0].worker_id == "w1"


async def test_failed_ones_are_listed_and_open_ones_dropped(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, planned("a"), planned("bad", error="no such symbol"), planned("c"))
    (running,) = await claim(database, 1)
    async with database.begin() as connection:
        assert await count_pending_chunks(connection) == 1
        assert await failed_chunks(connection, execution_id, 10) == [("bad", "no such symbol")]
        await drop_open_chunks(connection, execution_id)
        assert await lock_chunks(connection, [running.id]) == {}
        assert await failed_chunks(connection, execution_id, 10) == [("bad", "no such symbol")]
        assert await count_pending_chunks(connection) == 0


async def test_a_key_stands_once_in_an_execution(database: Database, execution_id: int) -> None:
    with pytest.raises(ConflictError):
        await insert(database, execution_id, planned("a"), planned("a"))


async def test_a_claim_reads_its_index_in_order(database: Database, execution_id: int) -> None:
    await insert(database, execution_id, *(planned(str(n)) for n in range(3_000)))
    statement = (
        "SELECT chunk.id FROM chunk JOIN execution ON execution.id = chunk.execution_id"
        " WHERE chunk.status = 'PENDING' AND chunk.not_before_ms <= 5000"
        " AND execution.handler IN ('backfill_kline', 'b')"
        " ORDER BY chunk.execution_priority DESC, chunk.priority DESC, chunk.id LIMIT 10"
    )
    explain = "EXPLAIN" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE"))
        plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {statement}")))
    assert "ix_chunk_claim" in plan
    assert "TEMP B-TREE" not in plan

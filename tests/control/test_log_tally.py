"""Lists of log lines by the tally, held against lists of Python."""

import asyncio
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update

from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.log_tally import (
    HOUR_MS,
    TalliedFilter,
    count_by_hour,
    count_waiting_lines,
    find_settled_id,
    tally_lines,
)
from markethub.control.logs import NewLogLine, insert_logs, list_logs
from markethub.control.retention import CleanedLines, Expiry
from markethub.control.schema import log, log_mark, log_tally

LEVELS = ("INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller may ask for."""

    job: int | None
    level: str | None
    after_ms: int | None
    before_ms: int | None
    order_desc: bool
    limit: int
    offset: int


times = st.one_of(
    st.integers(0, 6 * HOUR_MS), st.sampled_from([0, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1, 5 * HOUR_MS])
)
lines = st.tuples(times, st.integers(1, 2), st.sampled_from(LEVELS))
steps = st.one_of(
    st.tuples(st.just("store"), st.lists(lines, min_size=1, max_size=12)),
    st.tuples(st.just("tally"), st.integers(1, 9)),
    st.tuples(st.just("delete"), st.tuples(times, st.integers(1, 5))),
)
questions = st.builds(
    Question,
    job=st.sampled_from([None, 1, 2, 3]),
    level=st.sampled_from([None, *LEVELS, "debug"]),
    after_ms=st.none() | times,
    before_ms=st.none() | times,
    order_desc=st.booleans(),
    limit=st.integers(1, 7),
    offset=st.integers(0, 30),
)


async def open_with_jobs(folder: str) -> Database:
    database = await open_database(f"sqlite:///{Path(folder) / 'control.db'}")
    async with database.begin() as connection:
        await ensure_jobs(connection, [JobSpec(f"job_{n}", "kline", "sync", "") for n in (1, 2)], 1)
    return database


async def take(database: Database, what: str, value: object) -> None:
    match what, value:
        case "store", list():
            new = [NewLogLine(at_ms, level, "m", "t", job, 1, None) for at_ms, job, level in value]
            async with database.begin() as connection:
                await insert_logs(connection, new)
        case "tally", int():
            async with database.begin() as connection:
                settled_id = await find_settled_id(connection)
            async with database.begin() as connection:
                await tally_lines(connection, settled_id, value)
        case "delete", (int() as before_ms, int() as limit):
            cleaned = CleanedLines(database)
            await cleaned.delete(await cleaned.find(Expiry(before_ms, None), limit))
            await cleaned.tidy(before_ms)


async def check(database: Database, asked: Question) -> None:
    async with database.read() as connection:
        stored = (await connection.execute(select(log).order_by(log.c.timestamp_ms, log.c.id))).all()
        rows, total = await list_logs(
            connection,
            job_id=None if asked.job is None else str(asked.job),
            level=asked.level,
            before_ms=asked.before_ms,
            after_ms=asked.after_ms,
            order_desc=asked.order_desc,
            limit=asked.limit,
            offset=asked.offset,
        )
    wanted = [
        row.id
        for row in stored
        if (asked.job is None or (row.job_id == asked.job if asked.job < 3 else row.trace_id == "3"))
        and (asked.level is None or row.level == asked.level.upper())
        and (asked.after_ms is None or row.timestamp_ms >= asked.after_ms)
        and (asked.before_ms is None or row.timestamp_ms < asked.before_ms)
    ]
    if asked.order_desc:
        wanted.reverse()
    assert total == len(wanted)
    assert [row.id for row in rows] == wanted[asked.offset : asked.offset + asked.limit]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=12), st.lists(questions, min_size=1, max_size=6))
def test_pages_and_totals_are_those_of_the_lines(
    taken: list[tuple[str, object]], asked: list[Question]
) -> None:
    async def live(folder: str) -> None:
        database = await open_with_jobs(folder)
        try:
            for what, value in taken:
                await take(database, what, value)
            for one in asked:
                await check(database, one)
        finally:
            await database.close()

    with tempfile.TemporaryDirectory(prefix="markethub-tally-") as folder:
        asyncio.run(live(folder))


async def test_both_databases_answer_alike(database: Database) -> None:
    chance = random.Random(5)
    async with database.begin() as connection:
        await ensure_jobs(connection, [JobSpec(f"job_{n}", "kline", "sync", "") for n in (1, 2)], 1)
    for _ in range(6):
        new = [
            (chance.randrange(6 * HOUR_MS), chance.choice((1, 2)), chance.choice(LEVELS)) for _ in range(40)
        ]
        await take(database, "store", new)
        await take(database, "tally", chance.randrange(1, 60))
        await take(database, "delete", (chance.randrange(3 * HOUR_MS), 10))
        for _ in range(12):
            asked = Question(
                job=chance.choice((None, 1, 2)),
                level=chance.choice((None, "error")),
                after_ms=chance.choice((None, chance.randrange(6 * HOUR_MS))),
                before_ms=chance.choice((None, chance.randrange(6 * HOUR_MS))),
                order_desc=chance.random() < 0.5,
                limit=chance.randrange(1, 20),
                offset=chance.randrange(120),
            )
            await check(database, asked)


async def test_the_tally_alone_answers_for_what_is_before_the_mark(database: Database) -> None:
    async with database.begin() as connection:
        await insert_logs(connection, [NewLogLine(5, "INFO", "m", "t", 1, 1, None)] * 3)
    await take(database, "tally", 100)
    async with database.begin() as connection:
        # Not in this world, but it shows who was asked.
        await connection.execute(update(log_tally).values(lines=70))
        assert await count_by_hour(connection, TalliedFilter()) == {0: 70}
        assert await count_waiting_lines(connection) == 0


async def test_a_line_of_an_uncommitted_transaction_is_not_passed_over(
    database: Database, database_url: str
) -> None:
    """On PostgreSQL ids are given before the commit: the mark must not overtake one."""
    if database.dialect != "postgresql":
        return
    other = await open_database(database_url)
    line = NewLogLine(5, "INFO", "m", "t", 1, 1, None)
    try:
        async with other.begin() as slow:
            await insert_logs(slow, [line])
            async with database.begin() as connection:
                await insert_logs(connection, [line])  # has the greater id, and is there first
            looking = asyncio.create_task(_settled(database))
            await asyncio.wait([looking])
            assert "lock" in str(looking.exception())
        assert await _settled(database) == 2
    finally:
        await other.close()


async def _settled(database: Database) -> int:
    async with database.begin() as connection:
        return await find_settled_id(connection)


async def test_two_that_tally_at_once_count_nothing_twice(database: Database) -> None:
    async with database.begin() as connection:
        line = {"timestamp_ms": 5, "level": "INFO", "message": "m", "trace_id": "t", "job_id": 1}
        await connection.execute(insert(log), [line] * 500)
    settled_id = await _settled(database)

    async def tally() -> None:
        is_behind = True
        while is_behind:
            async with database.begin() as connection:
                is_behind = await tally_lines(connection, settled_id, 30)

    await asyncio.gather(*(tally() for _ in range(4)))
    async with database.read() as connection:
        assert (await connection.execute(select(func.sum(log_tally.c.lines)))).scalar_one() == 500
        assert (await connection.execute(select(log_mark.c.tallied_id))).scalar_one() == settled_id


async def test_a_line_deleted_behind_the_mark_is_not_taken_from_the_tally(database: Database) -> None:
    async with database.begin() as connection:
        await insert_logs(connection, [NewLogLine(5, "INFO", "m", "t", 1, 1, None)] * 4)
    await take(database, "tally", 2)
    await take(database, "delete", (10, 3))
    async with database.begin() as connection:
        assert await count_by_hour(connection, TalliedFilter()) == {0: 1}
        assert (await connection.execute(text("SELECT sum(lines) FROM log_tally"))).scalar_one() == 0
        await connection.execute(delete(log))

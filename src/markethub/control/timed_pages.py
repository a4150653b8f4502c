"""Pages of long lists in the order of time, found by how many rows each stretch of time holds.

To count a million rows, or to skip half of them, takes far longer than to read a page. Who keeps count of the
rows by stretches of time (days, hours) knows the total, and where in the list a stretch begins: only the
stretches that hold the page are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.listing import check_window


@dataclass(frozen=True, slots=True)
class TimedList:
    """Rows that match ``where``, by ``time`` and ``number``; ``counts`` says by the begin of a stretch how
    many of them lie in it, where that are any."""

    statement: Select[Any]
    time: ColumnElement[int]
    number: ColumnElement[int]
    where: Sequence[ColumnElement[bool]]
    width_ms: int
    counts: Mapping[int, int]
    stretches: Sequence[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stretches", sorted(self.counts.items()))


@dataclass(frozen=True, slots=True)
class _Window:
    """Where a page lies: in the rows from ``begin_ms`` on, before ``end_ms``, of which there are ``rows``."""

    begin_ms: int
    end_ms: int | None
    rows: int
    skipped: int


async def fetch_timed_page(
    connection: AsyncConnection,
    listed: TimedList,
    *,
    after_ms: int | None,
    before_ms: int | None,
    limit: int,
    offset: int,
    order_desc: bool,
) -> tuple[Sequence[Row[Any]], int]:
    """Rows ``offset`` to ``offset + limit`` of those with ``after_ms <= time < before_ms``, and how many."""
    check_window(limit, offset)
    first = 0 if after_ms is None else await _count_before(connection, listed, after_ms)
    total = await _count_from(connection, listed, first, before_ms)
    if offset >= total:
        return [], total
    most = min(limit, total - offset)
    # In a list that descends the same rows stand where they end, counted from its other side.
    place = first + (total - offset - most if order_desc else offset)
    rows = await _fetch(connection, listed, _find(listed, place, most), most)
    return (rows[::-1] if order_desc else rows), total


async def count_between(
    connection: AsyncConnection, listed: TimedList, after_ms: int | None, before_ms: int | None
) -> int:
    """How many rows there are with ``after_ms <= time < before_ms``."""
    first = 0 if after_ms is None else await _count_before(connection, listed, after_ms)
    return await _count_from(connection, listed, first, before_ms)


async def _count_from(
    connection: AsyncConnection, listed: TimedList, first: int, before_ms: int | None
) -> int:
    end = sum(listed.counts.values())
    if before_ms is not None:
        end = await _count_before(connection, listed, before_ms)
    return max(0, end - first)


async def _fetch(
    connection: AsyncConnection, listed: TimedList, window: _Window, most: int
) -> Sequence[Row[Any]]:
    where = [*listed.where, listed.time >= window.begin_ms]
    if window.end_ms is not None:
        where.append(listed.time < window.end_ms)
    skipped_behind = window.rows - window.skipped - most
    is_nearer_end = skipped_behind < window.skipped
    skipped = max(skipped_behind, 0) if is_nearer_end else window.skipped
    keys = (listed.time, listed.number)
    order = [key.desc() if is_nearer_end else key.asc() for key in keys]
    # The index alone is read for what is skipped, the rows only for what is shown.
    ids = (
        select(listed.number.label("number")).where(*where).order_by(*order).limit(most).offset(skipped)
    ).subquery()
    statement = listed.statement.join(ids, ids.c.number == listed.number).order_by(*keys)
    rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return rows


async def _count_before(connection: AsyncConnection, listed: TimedList, end_ms: int) -> int:
    begin_ms = end_ms - end_ms % listed.width_ms
    whole = sum(count for stretch_ms, count in listed.stretches if stretch_ms < begin_ms)
    if begin_ms == end_ms:
        return whole
    statement = select(func.count()).where(*listed.where, listed.time >= begin_ms, listed.time < end_ms)
    return whole + int((await connection.execute(statement)).scalar_one())


def _find(listed: TimedList, place: int, most: int) -> _Window:
    """The fewest stretches that hold the rows from ``place`` on, counted from the oldest of all."""
    passed = rows = 0
    begin_ms = 0
    for stretch_ms, count in listed.stretches[:-1]:
        if not rows and passed + count <= place:
            passed += count
            continue
        begin_ms = begin_ms if rows else stretch_ms
        rows += count
        if passed + rows >= place + most:
            return _Window(begin_ms, stretch_ms + listed.width_ms, rows, place - passed)
    # The newest stretch has no end: PostgreSQL may have rows by now that came after the counting.
    newest_ms, count = listed.stretches[-1] if listed.stretches else (0, 0)
    return _Window(begin_ms if rows else newest_ms, None, rows + count, place - passed)

"""What processes behind one address spend at the venues, so that together they stay below the limits."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Row, Text, and_, bindparam, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from markethub.control.database import Database
from markethub.control.schema import budget_gate, budget_sharer, budget_window
from markethub.domain.errors import MarketHubError, UnavailableError
from markethub.ports.budget import Grant

_PATIENCE_S = 2.0
# The venue's clock and ours differ by less; until then a gate is told as closed, and the asker decides.
_CLOCKS_DIFFER_MS = 60_000
_FORGET_AFTER_WINDOWS = 10
_FORGET_AFTER_MS = 600_000

Insert = PostgresInsert | SqliteInsert
Answer = TypeVar("Answer")

_BUDGET = bindparam("budget", type_=Text)
_WINDOW = bindparam("window", type_=BigInteger)
_NOW_MS = bindparam("now_ms", type_=BigInteger)
_IS_CLOSED = and_(budget_gate.c.budget == _BUDGET, budget_gate.c.closed_until_ms > bindparam("open_ms"))


class ControlBudgetPool:
    """A BudgetPool in the control database; one object stands for one process.

    What is written here is lost with the machine's power at worst, but for gates: a ban outlives that. Nobody
    waits longer than two seconds: a question that takes longer goes on behind the asker's back, and what it
    takes is lost.
    """

    def __init__(self, database: Database) -> None:
        dialect = postgresql if database.dialect == "postgresql" else sqlite
        self._database = database
        self._process = uuid.uuid4().hex
        self._registered: dict[str, int] = {}
        self._questions: set[asyncio.Task[Any]] = set()
        # Built once: that costs more than running them.
        self._take = _taking(dialect.insert(budget_window))
        self._register = _registering(dialect.insert(budget_sharer))
        self._close = _closing(dialect.insert(budget_gate))
        self._look = select(budget_gate.c.closed_until_ms, budget_gate.c.is_ban).where(_IS_CLOSED)

    async def take(self, budget: str, window: int, weight: int, limit: int) -> Grant:
        """As BudgetPool.take; one statement, and with the first of a window those that forget old ones."""
        values = {
            "budget": budget,
            "window": window,
            "weight": weight,
            "limit": limit,
            "first": min(weight, max(limit, 0)),
            "open_ms": self._open_ms(),
            "now_ms": self._database.clock(),
        }
        row = await self._ask(self._run_take(values))
        return Grant(
            weight=row.granted,
            used=row.used,
            closed_until_ms=row.closed_until_ms,
            is_banned=bool(row.is_ban),
            sharers=max(row.sharers, 1),
        )

    async def close_gate(self, budget: str, until_ms: int, *, is_ban: bool) -> None:
        """As BudgetPool.close_gate; a pause that outlasts a ban is told as a ban."""
        values = {"budget": budget, "until_ms": until_ms, "ban": is_ban, "now_ms": self._database.clock()}
        await self._ask(self._run_close(values))

    async def closed_until(self, budget: str) -> tuple[int, bool] | None:
        values = {"budget": budget, "open_ms": self._open_ms()}
        row = await self._ask(self._run_look(values))
        return None if row is None else (row.closed_until_ms, row.is_ban)

    async def close(self) -> None:
        """End the questions that nobody waits for any more; close this before the database."""
        questions = set(self._questions)
        for question in questions:
            question.cancel()
        if questions:
            await asyncio.wait(questions)

    async def _ask(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        # Not by a timeout around it: what waits for a lock of SQLite cannot be cancelled.
        question = asyncio.create_task(work)
        self._questions.add(question)
        question.add_done_callback(self._forget)
        await asyncio.wait({question}, timeout=_PATIENCE_S)
        if not question.done():
            raise UnavailableError(f"control database: no answer within {_PATIENCE_S:.0f} s")
        try:
            return question.result()
        except UnavailableError:
            raise
        except MarketHubError as error:
            raise UnavailableError(str(error)) from error

    def _forget(self, question: "asyncio.Task[Any]") -> None:
        self._questions.discard(question)
        if not question.cancelled():
            question.exception()  # mark as seen: the asker may have gone

    async def _run_take(self, values: dict[str, Any]) -> Row[*tuple[Any, ...]]:
        budget, window = values["budget"], values["window"]
        is_new = not 0 <= self._registered.get(budget, -1) - window <= 1
        async with self._database.begin() as connection:
            if is_new:
                await self._enter(connection, budget, window)
            row: Row[*tuple[Any, ...]] = (await connection.execute(self._take, values)).one()
        if is_new:
            self._registered[budget] = window
        return row

    async def _run_close(self, values: dict[str, Any]) -> None:
        async with self._database.begin(durable=True) as connection:
            await connection.execute(self._close, values)

    async def _run_look(self, values: dict[str, Any]) -> Row[*tuple[Any, ...]] | None:
        async with self._database.read() as connection:
            return (await connection.execute(self._look, values)).one_or_none()

    async def _enter(self, connection: AsyncConnection, budget: str, window: int) -> None:
        """Count ourselves among the sharers, and forget windows and sharers of long ago."""
        now_ms = self._database.clock()
        values = {"budget": budget, "process": self._process, "window": window, "now_ms": now_ms}
        await connection.execute(self._register, values)
        near = (window - _FORGET_AFTER_WINDOWS, window + _FORGET_AFTER_WINDOWS)
        for table, number in (
            (budget_window, budget_window.c.number),
            (budget_sharer, budget_sharer.c.last_window),
        ):
            # By age as well: if our clock were wrong, those far from ours would be the right ones.
            is_old = table.c.touched_ms < now_ms - _FORGET_AFTER_MS
            await connection.execute(
                delete(table).where(table.c.budget == budget, ~number.between(*near), is_old)
            )

    def _open_ms(self) -> int:
        return self._database.clock() - _CLOCKS_DIFFER_MS


def _taking(insert: Insert) -> ReturningInsert[Any]:
    booked = budget_window.c
    weight, left = bindparam("weight", type_=BigInteger), bindparam("limit", type_=BigInteger) - booked.used
    granted = case((left <= 0, 0), (left < weight, left), else_=weight)
    first = bindparam("first", type_=BigInteger)
    near = budget_sharer.c.last_window.between(_WINDOW - 1, _WINDOW + 1)
    sharers = select(func.count()).where(budget_sharer.c.budget == _BUDGET, near)
    return (
        insert.values(budget=_BUDGET, number=_WINDOW, used=first, granted=first, touched_ms=_NOW_MS)
        .on_conflict_do_update(
            index_elements=[booked.budget, booked.number],
            set_={"used": booked.used + granted, "granted": granted, "touched_ms": _NOW_MS},
        )
        .returning(
            booked.used,
            booked.granted,
            select(budget_gate.c.closed_until_ms)
            .where(_IS_CLOSED)
            .scalar_subquery()
            .label("closed_until_ms"),
            select(budget_gate.c.is_ban).where(_IS_CLOSED).scalar_subquery().label("is_ban"),
            sharers.scalar_subquery().label("sharers"),
        )
    )


def _registering(insert: Insert) -> Insert:
    sharer = budget_sharer.c
    return insert.values(
        budget=_BUDGET, process=bindparam("process"), last_window=_WINDOW, touched_ms=_NOW_MS
    ).on_conflict_do_update(
        index_elements=[sharer.budget, sharer.process],
        set_={"last_window": insert.excluded.last_window, "touched_ms": insert.excluded.touched_ms},
    )


def _closing(insert: Insert) -> Insert:
    gate, new = budget_gate.c, insert.excluded
    was_ban = and_(gate.is_ban, gate.closed_until_ms > _NOW_MS)
    row = {"budget": _BUDGET, "closed_until_ms": bindparam("until_ms"), "is_ban": bindparam("ban")}
    return insert.values(row).on_conflict_do_update(
        index_elements=[gate.budget],
        set_={"closed_until_ms": new.closed_until_ms, "is_ban": or_(new.is_ban, was_ban)},
        where=new.closed_until_ms > gate.closed_until_ms,
    )

"""What replication brought to each node, added up by the hour.

A slave adds what each of its runs brought; its master is told the sums so far, so telling one twice, or an
old one after a new one, changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, case, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.listing import fetch_page
from markethub.control.schema import sync_history
from markethub.control.values import clean_text, is_storable
from markethub.domain.errors import InputError

HOUR_MS = 3_600_000
MOST_ROWS = 100_000
"""What is kept of the history, of all nodes together."""
KEPT_MS = 90 * 86_400_000

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class SyncEntry:
    """What runs that began in one hour did to one series, or to one table of records (``interval`` is empty).

    ``start_ms`` is when the first of them began and ``end_ms`` when the last one ended; ``data_count`` adds
    up their rows. Runs that failed stand together, by their reason, without symbol and interval.
    """

    symbol: str
    interval: str
    sync_mode: str
    start_ms: int
    end_ms: int
    data_count: int
    status: str = "success"
    error: str = ""


@dataclass(frozen=True, slots=True)
class SyncRow(SyncEntry):
    """A stored entry of the node ``backup_name``."""

    id: int = 0
    backup_name: str = ""


@dataclass(frozen=True, slots=True)
class UntoldEntry:
    """An entry that the master has to be told of; ``change`` numbers its state at the moment of reading."""

    id: int
    change: int
    entry: SyncEntry


async def add_entries(connection: AsyncConnection, backup_name: str, entries: Sequence[SyncEntry]) -> None:
    """Add what new runs did to what is stored, to be told to the master."""
    newest = select(func.max(sync_history.c.pending)).where(sync_history.c.backup_name == backup_name)
    change = ((await connection.execute(newest)).scalar_one() or 0) + 1
    await _merge(connection, backup_name, entries, change)


async def take_entries(connection: AsyncConnection, backup_name: str, entries: Sequence[SyncEntry]) -> None:
    """Store the sums that a slave tells; they only grow, so the larger of two is the newer."""
    await _merge(connection, backup_name, entries, None)


async def list_history(
    connection: AsyncConnection, *, backup_name: str | None, limit: int, offset: int
) -> tuple[list[SyncRow], int]:
    """One window of the rows, the one that ended last first, and how many there are."""
    if backup_name is not None and not is_storable(backup_name):
        raise InputError("backup_name holds a character that cannot be stored")
    rows, total = await fetch_page(
        connection,
        select(sync_history),
        where=[] if backup_name is None else [sync_history.c.backup_name == backup_name],
        order=[sync_history.c.end_ms.desc(), sync_history.c.id.desc()],
        limit=limit,
        offset=offset,
    )
    return [SyncRow(id=row.id, backup_name=row.backup_name, **_values(row)) for row in rows], total


async def list_untold(connection: AsyncConnection, backup_name: str, limit: int) -> list[UntoldEntry]:
    """The entries that changed since the master was told, those that wait longest first."""
    rows = await connection.execute(
        select(sync_history)
        .where(sync_history.c.backup_name == backup_name, sync_history.c.pending.is_not(None))
        .order_by(sync_history.c.pending, sync_history.c.id)
        .limit(limit)
    )
    return [UntoldEntry(row.id, row.pending, SyncEntry(**_values(row))) for row in rows]


async def mark_told(connection: AsyncConnection, told: Sequence[UntoldEntry]) -> None:
    """Note that the master has these; what changed meanwhile stays to be told."""
    if told:
        await connection.execute(_MARK_TOLD, [{"told_id": one.id, "change": one.change} for one in told])


async def trim_history(
    connection: AsyncConnection, now_ms: int, *, most_rows: int = MOST_ROWS, kept_ms: int = KEPT_MS
) -> int:
    """Delete what is older than ``kept_ms`` or beyond the newest ``most_rows``; return how many rows went."""
    place = tuple_(sync_history.c.end_ms, sync_history.c.id)
    last = (
        await connection.execute(
            select(sync_history.c.end_ms, sync_history.c.id)
            .order_by(sync_history.c.end_ms.desc(), sync_history.c.id.desc())
            .offset(most_rows)
            .limit(1)
        )
    ).one_or_none()
    too_old = sync_history.c.end_ms < now_ms - kept_ms
    where = too_old if last is None else too_old | (place <= tuple_(*last))
    return (await connection.execute(delete(sync_history).where(where))).rowcount


_MARK_TOLD = (
    update(sync_history)
    .where(
        sync_history.c.id == bindparam("told_id", type_=BigInteger),
        sync_history.c.pending == bindparam("change", type_=BigInteger),
    )
    .values(pending=None)
)


async def _merge(
    connection: AsyncConnection, backup_name: str, entries: Sequence[SyncEntry], change: int | None
) -> None:
    if not entries:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    adding = dialect.insert(sync_history)
    stored, new = sync_history.c, adding.excluded
    larger = case((new.data_count > stored.data_count, new.data_count), else_=stored.data_count)
    statement = adding.on_conflict_do_update(
        index_elements=[stored[name] for name in _KEY],
        set_={
            "start_ms": case((new.start_ms < stored.start_ms, new.start_ms), else_=stored.start_ms),
            "end_ms": case((new.end_ms > stored.end_ms, new.end_ms), else_=stored.end_ms),
            "data_count": larger if change is None else stored.data_count + new.data_count,
            "pending": new.pending,
        },
    )
    rows = [
        asdict(entry)
        | {
            "backup_name": backup_name,
            "error": clean_text(entry.error, _LONGEST_ERROR),
            "hour_ms": entry.start_ms - entry.start_ms % HOUR_MS,
            "pending": change,
        }
        for entry in entries
    ]
    await connection.execute(statement, rows)


_KEY = ("hour_ms", "backup_name", "symbol", "interval", "sync_mode", "status", "error")
_ENTRY_FIELDS = tuple(SyncEntry.__dataclass_fields__)


def _values(row: Row[Any]) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in _ENTRY_FIELDS}

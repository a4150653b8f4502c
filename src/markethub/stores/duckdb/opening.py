"""Open a store file: who holds it, is it ours, which version wrote it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb

from markethub.domain.errors import NotFoundError, StoreError, StoreLockedError
from markethub.domain.interval import Interval
from markethub.ports.clock import Clock, system_clock
from markethub.stores.duckdb.compaction_steps import hot_start
from markethub.stores.duckdb.frames import transaction
from markethub.stores.duckdb.schema import REPLICA_SQL, SCHEMA_VERSION, records_sql, schema_sql
from markethub.stores.duckdb.store import DuckdbSeriesStore

# DuckDB lets one process open a file twice, but two writers in it would give one revision to two writes.
_open_paths: set[Path] = set()
_open_paths_lock = threading.Lock()


def open_duckdb_store(
    path: Path,
    *,
    read_only: bool = False,
    memory_limit_mb: int = 400,
    threads: int | None = None,
    clock: Clock = system_clock,
) -> DuckdbSeriesStore:
    """Open the store at ``path``, creating file and folders when they are missing.

    ``memory_limit_mb`` bounds DuckDB's buffers, not the Arrow tables on their way in and out; beyond it large
    sorts spill to ``path`` + ``.tmp``. ``threads`` defaults to the processors, at most 4. With ``read_only``
    the file must exist, and several processes may read it side by side as long as none writes.

    A file of an earlier version is brought up to date when it is opened for writing; one of version 1 that is
    opened for reading has no records, and answers so.

    StoreLockedError if another process, or this one, has it open; NotFoundError if it is missing; StoreError
    if it is damaged, no store, or written by a newer MarketHub.
    """
    path = path.expanduser().resolve()
    if read_only and not path.exists():
        raise NotFoundError(f"there is no store at {path}")
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit_mb}MB",
        "threads": threads or min(os.cpu_count() or 1, 4),
        # Larger means longer recovery after a crash, smaller means more pauses for a checkpoint.
        "wal_autocheckpoint": "64MB",
        "python_enable_replacements": False,  # a typo in SQL must not find a Python variable
        "autoinstall_known_extensions": False,
        # With it (2.0.0) ORDER BY and LIMIT without WHERE trust bounds of row groups that deletions have made
        # stale, and find other rows than the first ones.
        "disabled_optimizers": "row_group_pruner",
    }
    with _reserved(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(path, read_only=read_only, config=options)
        except OSError as error:
            raise StoreError(f"cannot create the folder of {path}: {error}") from error
        except duckdb.Error as error:
            raise _translate(path, error) from error
        try:
            _prepare(connection, path, clock(), read_only=read_only)
            return DuckdbSeriesStore(
                connection, path, read_only=read_only, clock=clock, on_close=lambda: _release(path)
            )
        except duckdb.Error as error:
            connection.close()
            raise StoreError(f"cannot use {path}: {error}") from error
        except BaseException:
            connection.close()
            raise


@contextmanager
def _reserved(path: Path) -> Iterator[None]:
    with _open_paths_lock:
        if path in _open_paths:
            raise StoreLockedError(
                f"{path} is open in this process already: use that store, or close it first"
            )
        _open_paths.add(path)
    try:
        yield
    except BaseException:
        _release(path)
        raise


def _release(path: Path) -> None:
    with _open_paths_lock:
        _open_paths.discard(path)


def _translate(path: Path, error: duckdb.Error) -> StoreError | StoreLockedError:
    text = str(error)
    if "Could not set lock" in text:
        return StoreLockedError(
            f"another process holds {path}: if a MarketHub server is running, ask it (client or HTTP API) "
            f"instead of opening its file, or stop it first. {text}"
        )
    return StoreError(f"cannot open {path}; if its permissions are right, it is damaged or no store. {text}")


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path, now_ms: int, *, read_only: bool) -> None:
    tables = {name for (name,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables and not read_only:
        _create(connection, now_ms)
        return
    if not {"meta", "series", "boundary"} <= tables:
        raise StoreError(f"{path} is a DuckDB file, but no MarketHub store")
    rows = connection.sql("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    version = int(rows[0][0]) if rows and rows[0][0].isdigit() else 0
    if not 1 <= version <= SCHEMA_VERSION:
        advice = "update MarketHub" if version > SCHEMA_VERSION else "it is no MarketHub store"
        raise StoreError(
            f"{path} has schema version {version}, this MarketHub knows {SCHEMA_VERSION}: {advice}"
        )
    if version < SCHEMA_VERSION and not read_only:
        _upgrade(connection, version)


def _upgrade(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    # One transaction: a process killed here leaves a file of the earlier version.
    with transaction(connection):
        if version < 2:
            connection.execute(records_sql())
        connection.execute(REPLICA_SQL)
        _name_store(connection)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION)])


def _create(connection: duckdb.DuckDBPyConnection, now_ms: int) -> None:
    # One transaction: a process killed here leaves an empty file, which the next one fills.
    with transaction(connection):
        connection.execute(schema_sql())
        connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])
        _name_store(connection)
        for interval in Interval:
            connection.execute(
                "INSERT INTO boundary VALUES (?, ?)", [interval.value, hot_start(interval, now_ms)]
            )


def _name_store(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO meta VALUES ('store_id', ?)", [uuid4().hex])

"""The open file of a store: who may use it, a cursor for each, and its end."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from markethub.domain.errors import StoreError
from markethub.stores.duckdb.frames import translated

_HEAVY_READ_ROWS = 100_000


class OpenFile:
    """A connection that many threads use through cursors of their own, until it is closed.

    ``on_close`` is called at the end, also when closing fails.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        *,
        read_only: bool,
        on_close: Callable[[], None],
    ) -> None:
        self.connection = connection
        self.path = path
        self._is_read_only = read_only
        self._on_close = on_close
        self._idle: deque[duckdb.DuckDBPyConnection] = deque()
        self._heavy_reads = threading.BoundedSemaphore(max(os.cpu_count() or 1, 1))
        self._lifecycle = threading.Condition()
        self._active = 0
        self._is_closed = False

    def check_writable(self) -> None:
        """StoreError if it is open for reading only, or closed."""
        if self._is_read_only:
            raise StoreError(f"{self.path} is open for reading only")
        if self._is_closed:
            raise StoreError("the store is closed")

    @contextmanager
    def use(self) -> Iterator[None]:
        """Keep the file open for the block; StoreError if it is closed."""
        with self._lifecycle:
            if self._is_closed:
                raise StoreError("the store is closed")
            self._active += 1
        try:
            yield
        finally:
            with self._lifecycle:
                self._active -= 1
                self._lifecycle.notify_all()

    @contextmanager
    def cursor(self, action: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that no other thread uses; one that failed is not used again.

        DuckDB's errors become StoreError that names ``action``.
        """
        with self.use(), translated(action):
            try:
                cursor = self._idle.pop()
            except IndexError:
                with self._lifecycle:
                    cursor = self.connection.cursor()
            try:
                yield cursor
            except BaseException:
                cursor.close()
                raise
            self._idle.append(cursor)

    @contextmanager
    def turn(self, rows: int) -> Iterator[None]:
        """Wait for a turn to read ``rows`` rows: large reads run as many at once as there are processors."""
        if rows <= _HEAVY_READ_ROWS:
            yield
            return
        with self._heavy_reads:
            yield

    def begin_close(self) -> bool:
        """Refuse new users; False if that was done before."""
        with self._lifecycle:
            was_open, self._is_closed = not self._is_closed, True
        return was_open

    def end_close(self, *cursors: duckdb.DuckDBPyConnection) -> None:
        """Wait for the last user, then close everything, ``cursors`` of the caller too."""
        with self._lifecycle:
            self._lifecycle.wait_for(lambda: self._active == 0)
        try:
            with translated(f"closing {self.path}"):
                for cursor in (*self._idle, *cursors, self.connection):
                    cursor.close()
        finally:
            self._on_close()

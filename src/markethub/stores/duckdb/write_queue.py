"""The queue in front of the one writer thread."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import duckdb

from markethub.domain.errors import StoreError


class QueuedWrite(Protocol):
    """What a queue must know of a write; ``str`` says what is written, for an error's message."""

    future: "Future[Any]"

    @property
    def weight(self) -> int:
        """Its size, in bars that take as much memory."""


T = TypeVar("T")
W = TypeVar("W", bound=QueuedWrite)


@dataclass(frozen=True, slots=True)
class _Task:
    call: Callable[[], Any]
    future: "Future[Any]"


class WriteQueue(Generic[W]):
    """Gives writes to ``apply`` in their order, as many at once as wait, on one thread; it answers with the
    result of each one's future.

    A batch ends at ``batch_rows`` rows or ``batch_writes`` writes; a larger write is a batch of its own.
    ``put`` waits while ``queued_rows`` or more rows wait: that is the back-pressure on producers. A write
    counts as many rows as its weight.
    """

    def __init__(
        self,
        apply: Callable[[Sequence[W]], Sequence[object]],
        *,
        name: str,
        batch_rows: int,
        batch_writes: int,
        queued_rows: int,
    ) -> None:
        self._apply = apply
        self._batch_rows = batch_rows
        self._batch_writes = batch_writes
        self._queued_rows_limit = queued_rows
        self._items: deque[W | _Task] = deque()
        self._queued_rows = 0
        self._is_closed = False
        self._changed = threading.Condition()
        # A daemon: a process that forgets to close must be able to end; what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, write: W) -> None:
        """Queue a write, waiting for room; StoreError once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._queued_rows < self._queued_rows_limit)
            self._check_open()
            self._items.append(write)
            self._queued_rows += _cost(write)
            self._changed.notify_all()

    def call(self, task: Callable[[], T]) -> "Future[T]":
        """Run ``task`` on the writer thread, alone, in its turn."""
        future: Future[T] = Future()
        with self._changed:
            self._check_open()
            self._items.append(_Task(task, future))
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Refuse what comes, finish what waits, end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the store is closed")

    def _run(self) -> None:
        while batch := self._take():
            if isinstance(batch, _Task):
                _finish_task(batch)
            else:
                self._write(batch)

    def _take(self) -> list[W] | _Task:
        """The next task or batch of writes; an empty batch once closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_closed)
            batch: list[W] = []
            rows = 0
            while self._items and len(batch) < self._batch_writes:
                item = self._items[0]
                if isinstance(item, _Task):
                    if batch:
                        break
                    self._items.popleft()
                    return item
                if batch and rows + item.weight > self._batch_rows:
                    break
                self._items.popleft()
                batch.append(item)
                rows += item.weight
                self._queued_rows -= _cost(item)
            self._changed.notify_all()
            return batch

    def _write(self, batch: list[W]) -> None:
        # One that was cancelled while it waited is dropped; from here on it cannot be cancelled any more.
        running = [write for write in batch if write.future.set_running_or_notify_cancel()]
        if running:
            self._write_running(running)

    def _write_running(self, batch: list[W]) -> None:
        try:
            counts = self._apply(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller; this thread must go on
            if len(batch) > 1:
                # One bad write must not fail its neighbours: nothing was kept, so each may try alone.
                for write in batch:
                    self._write_running([write])
            else:
                batch[0].future.set_exception(_translate(batch[0], error))
        else:
            for write, count in zip(batch, counts, strict=True):
                write.future.set_result(count)


def _finish_task(task: _Task) -> None:
    if not task.future.set_running_or_notify_cancel():
        return
    try:
        result = task.call()
    except Exception as error:  # noqa: BLE001 - as above
        task.future.set_exception(error)
    else:
        task.future.set_result(result)


def _translate(write: QueuedWrite, error: Exception) -> Exception:
    if not isinstance(error, duckdb.Error):
        return error
    translated = StoreError(f"writing {write}: {error}")
    translated.__cause__ = error
    return translated


def _cost(write: QueuedWrite) -> int:
    return write.weight + 1

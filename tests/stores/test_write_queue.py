import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor

import duckdb
import pytest

from markethub.domain.errors import StoreError
from markethub.ports.store import UpsertCounts
from markethub.stores.duckdb.batch import Write
from markethub.stores.duckdb.write_queue import WriteQueue
from markethub.testing.store_contract import BTC, ETH, bars_at, minutes

COUNTS = UpsertCounts(1, 2, 3, 4)


class Sink:
    """Takes batches, after the gate is open; writes of ETH fail."""

    def __init__(self) -> None:
        self.batches: list[list[Write]] = []
        self.gate = threading.Event()
        self.is_busy = threading.Event()

    def apply(self, writes: Sequence[Write]) -> list[UpsertCounts]:
        self.is_busy.set()
        assert self.gate.wait(20)
        self.batches.append(list(writes))
        if any(write.series == ETH for write in writes):
            raise duckdb.ConstraintException("poison")
        return [COUNTS] * len(writes)

    def queue(
        self, *, batch_rows: int = 100, batch_writes: int = 10, queued_rows: int = 10_000
    ) -> WriteQueue[Write]:
        """A queue whose writer is busy with a first write, so that the next ones wait together."""
        queue = WriteQueue(
            self.apply,
            name="sink",
            batch_rows=batch_rows,
            batch_writes=batch_writes,
            queued_rows=queued_rows,
        )
        queue.put(write(1))
        assert self.is_busy.wait(20)
        return queue

    def sizes(self) -> list[list[int]]:
        return [[len(write.bars) for write in batch] for batch in self.batches]


def write(rows: int, series: object = BTC) -> Write:
    return Write(ETH if series is ETH else BTC, bars_at(minutes(0, rows)), ())


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_what_waits_is_written_together(sink: Sink) -> None:
    queue = sink.queue()
    writes = [write(rows) for rows in (2, 3, 4)]
    for one in writes:
        queue.put(one)
    sink.gate.set()
    queue.close()
    assert sink.sizes() == [[1], [2, 3, 4]]
    assert [one.future.result(timeout=0) for one in writes] == [COUNTS] * 3


def test_a_batch_is_bounded_by_rows_and_by_writes(sink: Sink) -> None:
    queue = sink.queue(batch_rows=100, batch_writes=4)
    for rows in (60, 40, 1, 500, 1, 1, 1, 1, 1):
        queue.put(write(rows))
    sink.gate.set()
    queue.close()
    assert sink.sizes() == [[1], [60, 40], [1], [500], [1, 1, 1, 1], [1]]


def test_a_full_queue_makes_producers_wait(sink: Sink) -> None:
    queue = sink.queue(queued_rows=100)
    queue.put(write(99))  # at 100 with the write itself counted
    with ThreadPoolExecutor(1) as pool:
        late = write(5)
        producer = pool.submit(queue.put, late)
        with pytest.raises(TimeoutError):
            producer.result(timeout=0.2)
        assert not late.future.done()
        sink.gate.set()
        producer.result(timeout=20)
        assert late.future.result(timeout=20) == COUNTS
    queue.close()


def test_closing_wakes_a_waiting_producer(sink: Sink) -> None:
    queue = sink.queue(queued_rows=100)
    queue.put(write(200))
    with ThreadPoolExecutor(2) as pool:
        producer = pool.submit(queue.put, write(5))
        closer = pool.submit(queue.close)
        with pytest.raises(StoreError, match="closed"):
            producer.result(timeout=20)
        sink.gate.set()
        closer.result(timeout=20)
    assert sink.sizes() == [[1], [200]]


def test_a_failing_write_fails_alone(sink: Sink) -> None:
    queue = sink.queue()
    writes = [write(2), write(3, ETH), write(4)]
    for one in writes:
        queue.put(one)
    sink.gate.set()
    queue.close()
    assert writes[0].future.result() == writes[2].future.result() == COUNTS
    with pytest.raises(StoreError, match=r"writing 3 bars of ETH_USDT\.BNC 1m: poison") as caught:
        writes[1].future.result()
    assert isinstance(caught.value.__cause__, duckdb.Error)


def test_a_defect_reaches_the_caller_and_the_writer_goes_on() -> None:
    def apply(writes: Sequence[Write]) -> list[UpsertCounts]:
        if len(writes[0].bars) == 7:
            raise ZeroDivisionError
        return [COUNTS] * len(writes)

    queue: WriteQueue[Write] = WriteQueue(apply, name="defect", batch_rows=1, batch_writes=1, queued_rows=100)
    broken, sound = write(7), write(1)
    queue.put(broken)
    queue.put(sound)
    assert isinstance(broken.future.exception(timeout=20), ZeroDivisionError)
    assert sound.future.result(timeout=20) == COUNTS
    queue.close()


def test_a_cancelled_write_is_dropped_while_it_waits(sink: Sink) -> None:
    queue = sink.queue()
    first, second = write(2), write(3)
    queue.put(first)
    queue.put(second)
    assert first.future.cancel()
    sink.gate.set()
    queue.close()
    assert sink.sizes() == [[1], [3]]
    with pytest.raises(CancelledError):
        first.future.result()
    assert not second.future.cancel()


def test_a_task_runs_in_its_turn_and_alone(sink: Sink) -> None:
    queue = sink.queue()
    queue.put(write(2))
    task = queue.call(lambda: (threading.current_thread().name, sink.sizes()))
    queue.put(write(3))
    sink.gate.set()
    assert task.result(timeout=20) == ("sink", [[1], [2]])
    queue.close()
    assert sink.sizes() == [[1], [2], [3]]


def test_a_task_that_fails_tells_its_caller(sink: Sink) -> None:
    queue = sink.queue()
    sink.gate.set()
    with pytest.raises(ZeroDivisionError):
        queue.call(lambda: 1 // 0).result(timeout=20)
    queue.close()
    with pytest.raises(StoreError, match="closed"):
        queue.call(lambda: 1)
    with pytest.raises(StoreError, match="closed"):
        queue.put(write(1))

"""A store whose writer waits, so that writes gather in its queue."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from markethub.stores.duckdb import DuckdbSeriesStore


@contextmanager
def held(store: DuckdbSeriesStore) -> Iterator[None]:
    """Keep the writer busy for the block; at its end everything that was queued is written."""
    is_over = threading.Event()
    waiting = store._queue.call(lambda: is_over.wait(20))
    try:
        yield
    finally:
        is_over.set()
        assert waiting.result()
        store._queue.call(lambda: None).result()

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from markethub.ports.data_store import DataStore
from markethub.stores.duckdb import open_duckdb_store
from markethub.testing.replication_contract import ReplicationContract
from markethub.testing.store_contract import MINUTE_MS, T0


class TestColdReplica(ReplicationContract):
    """By today's clock the bars of the suite are history."""

    random_histories = 3

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
        opened = []
        numbers = itertools.count()

        def open_one() -> DataStore:
            store = open_duckdb_store(tmp_path / f"{next(numbers)}.duckdb")
            opened.append(store)
            return store

        yield open_one
        for store in opened:
            store.close()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[DataStore], DataStore]:
        def reopen_first(store: DataStore) -> DataStore:
            store.close()
            return open_duckdb_store(tmp_path / "0.duckdb")

        return reopen_first


class TestHotReplica(TestColdReplica):
    """The boundary runs through the bars."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
        opened = []
        numbers = itertools.count()

        def open_one() -> DataStore:
            path = tmp_path / f"{next(numbers)}.duckdb"
            store = open_duckdb_store(path, clock=lambda: T0 + 70 * MINUTE_MS)
            opened.append(store)
            return store

        yield open_one
        for store in opened:
            store.close()

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from markethub.ports.data_store import DataStore
from markethub.stores.duckdb import open_duckdb_store
from markethub.testing.replication_contract import ReplicationContract
from markethub.testing.store_contract import MINUTE_MS, T0
from tests.stores.file_stores import opening_files


class TestColdReplica(ReplicationContract):
    """By today's clock the bars of the suite are history."""

    random_histories = 3

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
        with opening_files(tmp_path) as open_one:
            yield open_one

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Callable[[DataStore], DataStore]]:
        again: list[DataStore] = []

        def reopen_first(store: DataStore) -> DataStore:
            store.close()
            again.append(open_duckdb_store(tmp_path / "0.duckdb"))
            return again[-1]

        yield reopen_first
        for store in again:
            store.close()


class TestHotReplica(TestColdReplica):
    """The boundary runs through the bars."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
        with opening_files(tmp_path, clock=lambda: T0 + 70 * MINUTE_MS) as open_one:
            yield open_one

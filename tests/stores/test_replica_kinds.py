"""A store of one kind follows a store of the other."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from markethub.ports.data_store import DataStore
from markethub.stores.duckdb import open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.replication_contract import check_random_histories

_HISTORIES = 3


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
    opened = []
    numbers = itertools.count()

    def open_one() -> DataStore:
        store = open_duckdb_store(tmp_path / f"{next(numbers)}.duckdb")
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


def test_a_file_follows_memory(open_file: Callable[[], DataStore]) -> None:
    check_random_histories(MemorySeriesStore, open_file, _HISTORIES)


def test_memory_follows_a_file(open_file: Callable[[], DataStore]) -> None:
    check_random_histories(open_file, MemorySeriesStore, _HISTORIES)

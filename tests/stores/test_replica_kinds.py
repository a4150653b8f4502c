"""A store of one kind follows a store of the other."""

from pathlib import Path

from markethub.stores.memory import MemorySeriesStore
from markethub.testing.replica_histories import check_random_histories
from tests.stores.file_stores import opening_files

_HISTORIES = 3


def test_a_file_follows_memory(tmp_path: Path) -> None:
    with opening_files(tmp_path) as open_file:
        check_random_histories(MemorySeriesStore, open_file, _HISTORIES)


def test_memory_follows_a_file(tmp_path: Path) -> None:
    with opening_files(tmp_path) as open_file:
        check_random_histories(open_file, MemorySeriesStore, _HISTORIES)

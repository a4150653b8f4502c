from collections.abc import Iterator
from pathlib import Path

import pytest

from markethub.ports.store import SeriesStore
from markethub.stores.duckdb import many_reading, open_duckdb_store
from markethub.testing.bulk_write_contract import BulkWriteContract
from markethub.testing.read_many_contract import ReadManyContract
from markethub.testing.store_contract import MINUTE_MS, T0, SeriesStoreContract


class TestColdStore(SeriesStoreContract):
    """By today's clock the bars of the suite are history."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        store = open_duckdb_store(tmp_path / "bars.duckdb")
        yield store
        store.close()


class TestColdStoreInBulk(BulkWriteContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        store = open_duckdb_store(tmp_path / "bars.duckdb")
        yield store
        store.close()


class TestHotStore(SeriesStoreContract):
    """The boundary runs through the bars, and every look at the clock moves it on."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        moments = iter(range(T0 + 70 * MINUTE_MS, T0 + 10**9, 60 * MINUTE_MS))
        store = open_duckdb_store(tmp_path / "bars.duckdb", clock=lambda: next(moments))
        yield store
        store.close()


class TestHotStoreInBulk(BulkWriteContract):
    """The boundary runs through the bars."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        store = open_duckdb_store(tmp_path / "bars.duckdb", clock=lambda: T0 + 3 * MINUTE_MS)
        yield store
        store.close()


class TestStoreReadByMany(ReadManyContract):
    """The boundary runs through the bars."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        store = open_duckdb_store(tmp_path / "bars.duckdb", clock=lambda: T0 + 55 * MINUTE_MS)
        yield store
        store.close()


class TestStoreReadByFew(TestStoreReadByMany):
    """A query brings so few bars that nearly every series takes several."""

    @pytest.fixture(autouse=True)
    def _small_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(many_reading, "GROUP_ROWS", 50)

import pytest

from markethub.ports.store import SeriesStore
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.bulk_write_contract import BulkWriteContract
from markethub.testing.read_many_contract import ReadManyContract
from markethub.testing.store_contract import SeriesStoreContract


class TestMemoryStore(SeriesStoreContract):
    @pytest.fixture
    def store(self) -> SeriesStore:
        return MemorySeriesStore()


class TestMemoryStoreInBulk(BulkWriteContract):
    @pytest.fixture
    def store(self) -> SeriesStore:
        return MemorySeriesStore()


class TestMemoryStoreReadByMany(ReadManyContract):
    @pytest.fixture
    def store(self) -> SeriesStore:
        return MemorySeriesStore()

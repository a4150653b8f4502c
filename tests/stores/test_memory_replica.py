from collections.abc import Callable

import pytest

from markethub.ports.data_store import DataStore
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.replication_contract import ReplicationContract


class TestMemoryReplica(ReplicationContract):
    random_histories = 40

    @pytest.fixture
    def open_store(self) -> Callable[[], DataStore]:
        return MemorySeriesStore

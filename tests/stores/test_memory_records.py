from collections.abc import Callable

import pytest

from markethub.domain.errors import StoreError
from markethub.ports.records import RecordStore
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.testing.record_contract import RecordStoreContract
from markethub.testing.record_rows import ALWAYS, fills_at
from markethub.testing.store_contract import BTC, bars_at, minutes


class TestMemoryRecords(RecordStoreContract):
    @pytest.fixture
    def open_records(self) -> Callable[[], RecordStore]:
        return lambda: MemorySeriesStore().records


def test_records_share_revisions_and_the_end_with_series() -> None:
    store = MemorySeriesStore()
    assert store.upsert(BTC, bars_at(minutes(0, 2))).result().revision == 1
    assert store.records.upsert_records(FILLS, fills_at(1)).result().revision == 2
    assert store.upsert(BTC, bars_at(minutes(2, 3))).result().revision == 3
    assert store.revision() == 3
    store.close()
    for question in (
        lambda: store.records.read_records(FILLS),
        lambda: store.records.count_records(FILLS),
        lambda: store.records.covered_records(FILLS, "a", ALWAYS),
        lambda: store.records.upsert_records(FILLS, fills_at(2)),
    ):
        with pytest.raises(StoreError, match="closed"):
            question()

"""The records of the embedded store: the contract, and what only a file has."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import StoreError
from markethub.ports.records import RecordStore
from markethub.stores.duckdb import DuckdbSeriesStore, open_duckdb_store, record_batch
from markethub.stores.duckdb.commit import AnyWrite, Committer, Counts
from markethub.stores.duckdb.record_batch import RecordWrite
from markethub.stores.duckdb.record_keys import Hashes, HashSet, KnownKeys
from markethub.tables.fills import FILLS
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.rejects import REJECTS
from markethub.tables.tickers import TICKERS
from markethub.testing.record_contract import RecordStoreContract
from markethub.testing.record_rows import (
    ALWAYS,
    claim,
    claims_of,
    fills_at,
    ids_of,
    rows_of,
)
from markethub.testing.store_contract import BTC, bars_at, minutes
from tests.stores.held_writer import held


class TestDuckdbRecords(RecordStoreContract):
    @pytest.fixture
    def stores(self) -> Iterator[dict[int, tuple[Path, DuckdbSeriesStore]]]:
        """The path and the open store of each RecordStore, by its ``id``."""
        stores: dict[int, tuple[Path, DuckdbSeriesStore]] = {}
        yield stores
        for _, store in stores.values():
            store.close()

    @pytest.fixture
    def open_records(
        self, tmp_path: Path, stores: dict[int, tuple[Path, DuckdbSeriesStore]]
    ) -> Callable[[], RecordStore]:
        paths = (tmp_path / f"{number}.duckdb" for number in itertools.count())
        return lambda: _open(next(paths), stores)

    @pytest.fixture
    def reopen(
        self, stores: dict[int, tuple[Path, DuckdbSeriesStore]]
    ) -> Callable[[RecordStore], RecordStore]:
        def reopen(records: RecordStore) -> RecordStore:
            path, store = stores[id(records)]
            store.close()
            return _open(path, stores)

        return reopen


def _open(path: Path, stores: dict[int, tuple[Path, DuckdbSeriesStore]]) -> RecordStore:
    store = open_duckdb_store(path)
    stores[id(store.records)] = path, store
    return store.records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[DuckdbSeriesStore]:
    store = open_duckdb_store(path)
    yield store
    store.close()


def revisions_of(store: DuckdbSeriesStore, table: str, column: str) -> dict[str, int]:
    query = f"SELECT {column}, revision FROM {table}"  # noqa: S608
    return dict(store._file.connection.sql(query).fetchall())


def test_records_and_bars_share_revisions(store: DuckdbSeriesStore, path: Path) -> None:
    assert store.upsert(BTC, bars_at(minutes(0, 2))).result().revision == 1
    assert store.records.upsert_records(FILLS, fills_at(1)).result().revision == 2
    told = claims_of("a", claim(0, 1))
    assert store.records.upsert_records(TICKERS, TICKERS.empty(), told).result().revision == 3
    assert store.revision() == 3
    store.close()
    again = open_duckdb_store(path)
    assert again.revision() == 3
    assert again.upsert(BTC, bars_at(minutes(2, 3))).result().revision == 4
    again.close()


def test_rows_keep_the_revision_of_their_last_change(store: DuckdbSeriesStore) -> None:
    records = store.records
    records.upsert_records(FILLS, fills_at(1, 2, 3, 4)).result()
    records.upsert_records(FILLS, fills_at(3, 4, price=Decimal(9))).result()
    records.upsert_records(FILLS, fills_at(2, 4)).result()
    assert revisions_of(store, "fills", "fill_id") == {"f1": 1, "f2": 1, "f3": 2, "f4": 3}
    records.upsert_records(FILLS, fills_at(4), claims_of("a", claim(0, 1))).result()
    both = [*claims_of("a", claim(0, 1)), *claims_of("b", claim(0, 1))]
    records.upsert_records(FILLS, fills_at(5), both).result()
    assert revisions_of(store, "record_coverage", "owner") == {"a": 4, "b": 5}
    assert revisions_of(store, "record_tables", "name")["fills"] == 5


def test_rows_are_counted_for_the_turns_of_large_reads(store: DuckdbSeriesStore, path: Path) -> None:
    for page in (fills_at(1, 2), fills_at(2, 3), fills_at(3)):
        store.records.upsert_records(FILLS, page).result()
    assert store._state.records["fills"].rows == 3
    store.close()
    again = open_duckdb_store(path)
    assert again._state.records["fills"].rows == 3
    again.close()


def test_what_waits_together_is_one_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[Committer, int]] = []
    commit = Committer.commit

    def commit_and_note(committer: Committer, writes: Sequence[AnyWrite]) -> list[Counts]:
        sizes.append((committer, len(writes)))
        return commit(committer, writes)

    monkeypatch.setattr(Committer, "commit", commit_and_note)
    store = open_duckdb_store(path)
    with held(store):
        bars = [store.upsert(BTC, bars_at(minutes(start, start + 2))) for start in (0, 2)]
        fills = [store.records.upsert_records(FILLS, fills_at(start, start + 1)) for start in (0, 1)]
        books = store.records.upsert_records(ORDERBOOKS, rows_of(ORDERBOOKS, {}))
    counts = [future.result() for future in (*bars, *fills, books)]
    assert [count.inserted for count in counts] == [2, 2, 2, 1, 1]
    assert sorted(count.revision for count in counts) == [1, 2, 3, 4, 5]
    # hubs of other tests may be writing in threads of this process
    assert [size for committer, size in sizes if committer is store.replica._committer] == [5]
    store.close()


def test_a_write_that_fails_in_the_file_fails_alone_and_whole(
    store: DuckdbSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(record_batch._SQL["rejects"], insert="INSERT INTO nowhere SELECT * FROM incoming")
    told = claims_of("a", claim(0, 1))
    with monkeypatch.context() as patch:
        patch.setitem(record_batch._SQL, "rejects", broken)
        with held(store):
            bars = store.upsert(BTC, bars_at(minutes(0, 1)))
            fills = store.records.upsert_records(FILLS, fills_at(1), told)
            rejects = store.records.upsert_records(REJECTS, rows_of(REJECTS, {}), told)
    with pytest.raises(StoreError, match=r"writing 1 rows of rejects: .*nowhere"):
        rejects.result()
    assert bars.result().inserted == fills.result().inserted == 1
    assert store.records.count_records(REJECTS) == 0
    assert store.records.covered_records(REJECTS, "a", ALWAYS) == []
    assert store.records.covered_records(FILLS, "a", ALWAYS) == [claim(0, 1)]
    # What the failed transactions have left in memory changes nothing.
    assert store.records.upsert_records(FILLS, fills_at(1, 2)).result().inserted == 1
    assert store.records.upsert_records(REJECTS, rows_of(REJECTS, {})).result().revision == 4


def test_pages_of_new_fills_are_stored_without_a_look_at_the_table(
    store: DuckdbSeriesStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a million fills in pages of a hundred would be ten thousand scans."""
    store.records.upsert_records(FILLS, fills_at(5, 6, 7)).result()
    store.close()
    again = open_duckdb_store(path)
    monkeypatch.setitem(
        record_batch._SQL, "fills", replace(record_batch._SQL["fills"], find="SELECT * FROM nowhere")
    )
    assert again.records.upsert_records(FILLS, fills_at(4, 3)).result().inserted == 2
    assert again.records.upsert_records(FILLS, fills_at(5, account="OKX_MM02")).result().inserted == 1
    with pytest.raises(StoreError, match="nowhere"):
        again.records.upsert_records(FILLS, fills_at(5, 2)).result()
    again.close()


def test_keys_of_one_hash_are_told_apart(store: DuckdbSeriesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_all_alike(keys: KnownKeys, key: tuple[str, ...], rows: int) -> Hashes:
        return np.zeros(rows, np.uint64)

    monkeypatch.setattr(KnownKeys, "hash_incoming", hash_all_alike)
    with held(store):
        futures = [store.records.upsert_records(FILLS, fills_at(start, start + 1)) for start in (1, 2, 7, 1)]
    assert [(one.result().inserted, one.result().unchanged) for one in futures] == [
        (2, 0),
        (1, 1),
        (2, 0),
        (0, 2),
    ]
    assert ids_of(store.records.read_records(FILLS)) == ["f1", "f2", "f3", "f7", "f8"]


def test_a_deep_book_weighs_as_much_as_many_bars() -> None:
    levels = [float(level) for level in range(1000)]
    sides = dict.fromkeys(("bid_prices", "bid_sizes", "ask_prices", "ask_sizes"), levels)
    assert RecordWrite(ORDERBOOKS, rows_of(ORDERBOOKS, sides), ()).weight >= 400
    assert RecordWrite(FILLS, fills_at(*range(9)), ()).weight >= 9
    assert RecordWrite(FILLS, FILLS.empty(), ()).weight == 0


@given(st.lists(st.lists(st.integers(0, 30) | st.integers(0, 2**64 - 1), max_size=20), max_size=12))
def test_a_hash_set_is_a_set(parts: list[list[int]]) -> None:
    hashes = HashSet(np.array([], np.uint64))
    members: set[int] = set()
    for part in parts:
        asked = np.array([*range(32), *part, *(value ^ 1 for value in part)], np.uint64)
        assert hashes.contains(asked).tolist() == [value in members for value in asked.tolist()]
        hashes.add(np.array(part, np.uint64))
        members.update(part)


def test_a_hash_set_keeps_few_runs() -> None:
    hashes = HashSet(np.arange(5, dtype=np.uint64))
    for start in range(0, 3000, 3):
        hashes.add(np.arange(start, start + 3, dtype=np.uint64))
    assert len(hashes._runs) <= 12


def test_a_reader_cannot_write_and_a_closed_store_refuses(store: DuckdbSeriesStore, path: Path) -> None:
    store.records.upsert_records(FILLS, fills_at(1), claims_of("a", claim(0, 1))).result()
    store.close()
    reader = open_duckdb_store(path, read_only=True)
    assert ids_of(reader.records.read_records(FILLS)) == ["f1"]
    assert reader.records.covered_records(FILLS, "a", ALWAYS) == [claim(0, 1)]
    with pytest.raises(StoreError, match="for reading only"):
        reader.records.upsert_records(FILLS, fills_at(2))
    reader.close()
    for question in (
        lambda: store.records.read_records(FILLS),
        lambda: store.records.count_records(FILLS),
        lambda: store.records.covered_records(FILLS, "a", ALWAYS),
        lambda: store.records.upsert_records(FILLS, fills_at(2)),
    ):
        with pytest.raises(StoreError, match="closed"):
            question()


def test_closing_finishes_what_waits(store: DuckdbSeriesStore) -> None:
    futures = [store.records.upsert_records(FILLS, fills_at(place)) for place in range(30)]
    store.close()
    assert [future.result(timeout=0).inserted for future in futures] == [1] * 30

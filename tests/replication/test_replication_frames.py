"""Messages between nodes are read as they were written, or refused."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import ReplicationError
from markethub.domain.selection import EVERYTHING
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, Patch, RecordPatch, SeriesPatch, SnapshotPage
from markethub.replication.frames import (
    pack_changes,
    pack_part,
    pack_snapshot,
    read_series_digests,
    read_table_digests,
    show_series_digests,
    show_table_digests,
    unpack_changes,
    unpack_part,
    unpack_snapshot,
)
from markethub.replication.pages import Part
from markethub.replication.source import digest_stored_series, digest_stored_table
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.klines import KLINES, empty_klines
from markethub.testing.record_rows import claim, fills_at, rows_of
from markethub.testing.store_contract import BTC, ETH, T0, bars_at, minute_span, minutes


@pytest.fixture
def changes() -> ChangeSet:
    """One of everything that a change set can hold."""
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, 9)), [claim(0, 9), claim(3, 7, "archive:x sha256:y")]).result()
    store.upsert(ETH, bars_at(minutes(5, 6))).result()
    gone = SeriesPatch(BTC, empty_klines(), (), [minute_span(2, 3)], [minute_span(1, 2)])
    for table in RECORD_TABLES.values():
        store.records.upsert_records(table, rows_of(table, {})).result()
    store.records.upsert_records(FILLS, fills_at(1, 2), [OwnerClaims("OKX_MM01", [claim(0, 5)])]).result()
    keys = fills_at(1).select(list(FILLS.key))
    fills = RecordPatch(FILLS, FILLS.empty(), keys, [OwnerClaims("OKX_MM01", [claim(1, 2)])], ["OKX_MM01"])
    store.replica.apply_patch(Patch([gone], [fills])).result()
    return store.replica.read_changes(0, 1_000, EVERYTHING)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_changes_come_out_as_they_went_in(changes: ChangeSet, compression: str | None) -> None:
    read = unpack_changes(b"".join(pack_changes(changes, compression)))
    assert (read.after, read.upto, read.newest) == (changes.after, changes.upto, changes.newest)
    assert [(one.series, one.claims, one.cleared, one.unclaimed) for one in read.series] == [
        (one.series, list(one.claims), list(one.cleared), list(one.unclaimed)) for one in changes.series
    ]
    assert [(one.table, one.claims, one.unclaimed) for one in read.records] == [
        (one.table, list(one.claims), list(one.unclaimed)) for one in changes.records
    ]
    for mine, theirs in zip(read.series, changes.series, strict=True):
        assert mine.bars.equals(theirs.bars)
    for rows, others in zip(read.records, changes.records, strict=True):
        assert rows.rows.equals(others.rows)
        assert rows.deleted.equals(others.deleted)


def test_nothing_is_a_message_too() -> None:
    empty = ChangeSet(3, 3, 3)
    read = unpack_changes(b"".join(pack_changes(empty)))
    assert (read.after, read.upto, read.newest, list(read.series), list(read.records)) == (3, 3, 3, [], [])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_message_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    whole = b"".join(pack_changes(ChangeSet(0, 1, 1, [SeriesPatch(BTC, bars_at(minutes(0, 3)))])))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ReplicationError):
        unpack_changes(whole[:cut])
    place = data.draw(st.integers(0, len(whole) - 1))
    spoilt = bytearray(whole)
    spoilt[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ReplicationError):
        unpack_changes(bytes(spoilt))


def test_a_page_of_a_snapshot_comes_out_as_it_went_in(changes: ChangeSet) -> None:
    page = SnapshotPage(changes.series, changes.records, "there")
    read = unpack_snapshot(b"".join(pack_snapshot(page, "lz4")))
    assert (read.cursor, read.rows) == ("there", page.rows)
    assert [one.claims for one in read.series] == [list(one.claims) for one in page.series]
    for rows, others in zip(read.records, page.records, strict=True):
        assert rows.rows.equals(others.rows)
    assert unpack_snapshot(b"".join(pack_snapshot(SnapshotPage()))).cursor is None


def test_a_message_of_another_sort_is_refused(changes: ChangeSet) -> None:
    with pytest.raises(ReplicationError, match="page of a snapshot that cannot be read: 'cursor'"):
        unpack_snapshot(b"".join(pack_changes(changes)))
    with pytest.raises(ReplicationError, match="change set that cannot be read: 'series'"):
        unpack_changes(b"".join(pack_part(Part(bars_at([T0]), None))))


def test_rows_of_another_version_are_refused() -> None:
    message = b"".join(pack_part(Part(fills_at(1), 5)))
    read = unpack_part(message, FILLS.schema)
    assert (read.rows.equals(fills_at(1)), read.rest_ms) == (True, 5)
    with pytest.raises(ReplicationError, match="instead of open_time"):
        unpack_part(message, KLINES)
    with pytest.raises(ReplicationError, match="begin"):
        unpack_part(b"<html>", KLINES)
    older = pa.table({"open_time": [1]})
    with pytest.raises(ReplicationError, match="same version"):
        unpack_part(b"".join(pack_part(Part(older, None))), KLINES)


def test_digests_come_out_as_they_went_in(changes: ChangeSet) -> None:
    store = MemorySeriesStore()
    store.replica.apply_patch(Patch(changes.series, changes.records)).result()
    series = digest_stored_series(store, BTC)
    assert series.months
    assert read_series_digests(show_series_digests(series)) == series
    table = digest_stored_table(store, FILLS, EVERYTHING)
    assert table.claims
    assert read_table_digests(show_table_digests(table)) == table

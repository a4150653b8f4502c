"""The pages of a snapshot hold everything once, whatever their size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.selection import EVERYTHING, Selection
from markethub.domain.span import Span
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Patch, SnapshotPage
from markethub.replication.pages import read_bar_part, read_row_part, read_snapshot_page
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.testing.record_rows import ALWAYS, claim, fills_at, rows_of
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, BTC_HOURS, ETH, T0, bars_at, minutes, times_of

_OWNER = "OKX_MM01"


def filled() -> DataStore:
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, 40)), [claim(0, 30), claim(5, 9, "files")]).result()
    store.upsert(ETH, bars_at(minutes(3, 8))).result()
    store.upsert(BTC_HOURS, empty_klines(), [claim(0, 60)]).result()
    for table in RECORD_TABLES.values():
        store.records.upsert_records(table, rows_of(table, {})).result()
    told = [OwnerClaims(_OWNER, [claim(0, 9)])]
    store.records.upsert_records(FILLS, fills_at(*range(1, 20)), told).result()
    return store


def read_pages(store: DataStore, most_rows: int, selection: Selection = EVERYTHING) -> list[SnapshotPage]:
    pages = [read_snapshot_page(store, None, most_rows, selection)]
    while (cursor := pages[-1].cursor) is not None:
        pages.append(read_snapshot_page(store, cursor, most_rows, selection))
    return pages


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 100))
def test_all_pages_together_are_the_store(most_rows: int) -> None:
    store, copy = filled(), MemorySeriesStore()
    pages = read_pages(store, most_rows)
    brought = 0
    for page in pages:
        assert page.rows <= most_rows or not page.series
        counts = copy.replica.apply_patch(Patch(page.series, page.records)).result()
        assert counts.inserted == page.rows
        brought += page.rows
    assert content_of(copy) == content_of(store)
    assert brought == 45 + 19 + len(RECORD_TABLES)


def test_small_series_share_a_page_and_pages_are_even() -> None:
    pages = read_pages(filled(), 30, Selection(intervals=frozenset({BTC.interval})))
    assert [[(one.series, len(one.bars)) for one in page.series] for page in pages[:2]] == [
        [(BTC, 30)],
        [(BTC, 10), (ETH, 5)],
    ]
    assert [one.claims for one in pages[0].series] == [()]
    assert len(pages[1].series[0].claims) == 2


def test_an_empty_store_is_one_empty_page() -> None:
    (page,) = read_pages(MemorySeriesStore(), 10)
    assert (page.rows, list(page.series), list(page.records), page.cursor) == (0, [], [], None)


def test_only_the_selection_is_there() -> None:
    only = Selection(symbols=frozenset({ETH.symbol}))
    pages = read_pages(filled(), 1000, only)
    assert [one.series for page in pages for one in page.series] == [ETH]
    nothing = Selection(venues=frozenset({"GIO"}))
    rows = [one for page in read_pages(filled(), 1000, nothing) for one in page.records]
    assert not any(len(one.rows) or one.claims for one in rows if one.table is FILLS)


def test_what_is_written_between_two_pages_moves_no_page() -> None:
    store, copy = filled(), MemorySeriesStore()
    begun = store.revision()
    page = read_snapshot_page(store, None, 20, EVERYTHING)
    number = 0
    while True:
        copy.replica.apply_patch(Patch(page.series, page.records)).result()
        store.upsert(BTC, bars_at([T0 - number * 60_000])).result()
        store.records.upsert_records(FILLS, fills_at(100 + number)).result()
        number += 1
        if page.cursor is None:
            break
        page = read_snapshot_page(store, page.cursor, 20, EVERYTHING)
    changes = store.replica.read_changes(begun, 1000, EVERYTHING)
    copy.replica.apply_patch(Patch(changes.series, changes.records)).result()
    assert content_of(copy) == content_of(store)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "[]",
        "1",
        "[null,null,0]",
        "[null,[],0]",
        "[3,null,0]",
        '["BTC 1m",null,0]',
        '["BTC_USDT.BNC 1m","fills",0]',
        '[null,"nothing",0]',
        '[null,"fills","0"]',
        '[null,"fills",1.5]',
        f'[null,"fills",{2**62}]',
    ],
)
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InputError, match="is not one of a snapshot"):
        read_snapshot_page(MemorySeriesStore(), cursor, 10, EVERYTHING)


def test_a_series_that_is_gone_leads_on_to_the_next() -> None:
    cursor = read_pages(filled(), 10)[0].cursor
    assert cursor is not None
    assert "BTC" in cursor
    other = MemorySeriesStore()
    other.upsert(ETH, bars_at(minutes(0, 3))).result()
    assert [one.series for one in read_snapshot_page(other, cursor, 10, EVERYTHING).series] == [ETH]


def test_rows_of_one_time_stay_together() -> None:
    store = MemorySeriesStore()
    together = [{"fill_id": f"t{number}", "time": T0} for number in range(5)]
    store.records.upsert_records(FILLS, rows_of(FILLS, *together)).result()
    store.records.upsert_records(FILLS, fills_at(1, 2, 3)).result()
    sizes = []
    rest_ms: int | None = ALWAYS.start_ms
    while rest_ms is not None:
        part = read_row_part(store, FILLS, Span(rest_ms, ALWAYS.end_ms), 2, EVERYTHING)
        sizes.append(len(part.rows))
        rest_ms = part.rest_ms
    assert sizes == [5, 2, 1]
    moment = read_row_part(store, FILLS, Span(T0, T0 + 1), 2, EVERYTHING)
    assert (len(moment.rows), moment.rest_ms) == (5, None)


def test_bars_tell_where_the_rest_begins() -> None:
    store = filled()
    part = read_bar_part(store, BTC, Span(T0, T0 + 40 * 60_000), 15)
    assert (times_of(part.rows), part.rest_ms) == (minutes(0, 15), T0 + 15 * 60_000)
    assert read_bar_part(store, BTC, Span(T0, T0 + 15 * 60_000), 15).rest_ms is None
    assert read_bar_part(store, BTC, ALWAYS, 41).rest_ms is None


def test_order_books_are_few_at_once() -> None:
    store = MemorySeriesStore()
    books = rows_of(ORDERBOOKS, *[{"time": T0 + number} for number in range(5)])
    store.records.upsert_records(ORDERBOOKS, books).result()
    assert FILLS.row_weight == 1
    assert len(read_row_part(store, ORDERBOOKS, ALWAYS, 2 * ORDERBOOKS.row_weight, EVERYTHING).rows) == 2
    assert store.replica.read_changes(0, 2 * ORDERBOOKS.row_weight, EVERYTHING).rows == 5  # whole revisions
    page = read_snapshot_page(store, None, 3 * ORDERBOOKS.row_weight, EVERYTHING)
    assert page.rows == 3

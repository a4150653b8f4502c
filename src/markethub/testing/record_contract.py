"""What every ``RecordStore`` must do; subclass it and tell how to open one::

class TestMyRecords(RecordStoreContract):
    @pytest.fixture
    def open_records(self) -> Iterator[Callable[[], RecordStore]]:
        ...
"""

# ruff: noqa: S101 - assert is how pytest speaks

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import InputError, StoreError
from markethub.domain.span import Span, merge
from markethub.ports.records import OwnerClaims, RecordQuery, RecordStore
from markethub.ports.store import Coverage, UpsertCounts
from markethub.tables.balances import BALANCES
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import RecordTable
from markethub.tables.symbols import SYMBOLS
from markethub.tables.tickers import TICKERS
from markethub.tables.transfers import TRANSFERS
from markethub.testing.record_model import RecordModel, some_queries, some_values, some_writes, write_both
from markethub.testing.record_rows import (
    ALWAYS,
    ANOTHER,
    BAD_ROWS,
    DAY_MS,
    T0,
    claim,
    claims_of,
    fills_at,
    ids_of,
    observe_records,
    rows_of,
)


class RecordStoreContract:
    """The suite; every test starts with an empty store."""

    @pytest.fixture
    def open_records(self) -> Callable[[], RecordStore]:
        """What opens an empty store each time it is called; a subclass closes them all."""
        raise NotImplementedError("a subclass overrides the fixture `open_records`")

    @pytest.fixture
    def reopen(self) -> Callable[[RecordStore], RecordStore]:
        """What closes a store of ``open_records`` and opens it again; left alone, it does neither."""
        return lambda records: records

    @pytest.fixture
    def records(self, open_records: Callable[[], RecordStore]) -> RecordStore:
        return open_records()

    @pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: table.name)
    def test_an_empty_store_has_empty_answers(self, records: RecordStore, table: RecordTable) -> None:
        for query in (None, RecordQuery(latest_by=[table.owner], limit=3)):
            assert records.read_records(table, query).equals(table.empty())
            assert records.count_records(table, query) == 0
        assert records.covered_records(table, "OKX", ALWAYS) == []
        assert records.upsert_records(table, table.empty()).result() == UpsertCounts(0, 0, 0, 0)

    @pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: table.name)
    def test_rows_come_back_as_they_were_written(self, records: RecordStore, table: RecordTable) -> None:
        full = {field.name: ANOTHER[field.type] for field in table.schema} | {table.time: T0}
        sparse = {field.name: None for field in table.schema if field.nullable} | {table.time: T0 + 1}
        rows = rows_of(table, full, sparse)
        assert records.upsert_records(table, rows).result() == UpsertCounts(2, 0, 0, 1)
        assert records.read_records(table).equals(rows)
        assert records.upsert_records(table, rows).result() == UpsertCounts(0, 0, 2, 1)
        assert records.count_records(table) == 2

    @pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: table.name)
    def test_a_change_of_any_column_is_an_update(self, records: RecordStore, table: RecordTable) -> None:
        record: dict[str, Any] = {}
        records.upsert_records(table, rows_of(table, record)).result()
        revision = 1
        for field in table.schema:
            for value in [ANOTHER[field.type], None][: 1 + field.nullable]:
                if field.name not in table.key:
                    record[field.name] = value
                    revision += 1
                    counts = records.upsert_records(table, rows_of(table, record)).result()
                    assert counts == UpsertCounts(0, 1, 0, revision), field.name
            assert records.read_records(table).equals(rows_of(table, record)), field.name
        assert records.upsert_records(table, rows_of(table, record)).result().unchanged == 1

    @pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: table.name)
    def test_every_column_of_the_key_tells_rows_apart(self, records: RecordStore, table: RecordTable) -> None:
        others = [{name: ANOTHER[table.schema.field(name).type]} for name in table.key]
        records.upsert_records(table, rows_of(table, {})).result()
        for number, other in enumerate(others, start=2):
            assert records.upsert_records(table, rows_of(table, other)).result().inserted == 1
            assert records.count_records(table) == number

    def test_amounts_are_exact(self, records: RecordStore) -> None:
        least, most = Decimal("1e-18"), Decimal("99999999999999999999.999999999999999999")
        # copy_negate: a minus sign would round to 28 digits
        amounts = [least, least.copy_negate(), most, most.copy_negate(), Decimal(0), Decimal("0.1")]
        rows = rows_of(
            FILLS, *({"fill_id": str(place), "price": amount} for place, amount in enumerate(amounts))
        )
        records.upsert_records(FILLS, rows).result()
        assert records.read_records(FILLS).column("price").to_pylist() == amounts
        assert records.upsert_records(FILLS, rows).result().unchanged == len(amounts)

    def test_lists_may_be_empty_and_differ_in_one_place(self, records: RecordStore) -> None:
        sides = [[], [1.0], [1.0, 2.0], [1.0, 2.5], [2.5, 1.0], [0.0], [1e-300]]
        for side in sides:
            rows = rows_of(ORDERBOOKS, {"bid_prices": side})
            counts = records.upsert_records(ORDERBOOKS, rows).result()
            assert counts.inserted + counts.updated == 1, side
            assert records.read_records(ORDERBOOKS).column("bid_prices").to_pylist() == [side]

    def test_a_minus_zero_is_a_zero(self, records: RecordStore) -> None:
        for table, column, zeros in (
            (TICKERS, "last", (0.0, -0.0)),
            (ORDERBOOKS, "ask_sizes", ([0.0], [-0.0])),
        ):
            records.upsert_records(table, rows_of(table, {column: zeros[0]})).result()
            assert records.upsert_records(table, rows_of(table, {column: zeros[1]})).result().unchanged == 1

    def test_one_revision_a_write_that_changed_something(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(1, 2, 3)).result()
        mixed = pa.concat_tables([fills_at(2), fills_at(3, price=Decimal(9)), fills_at(4, 5)])
        assert records.upsert_records(FILLS, mixed).result() == UpsertCounts(2, 1, 1, 2)
        assert records.upsert_records(FILLS, mixed).result() == UpsertCounts(0, 0, 4, 2)
        assert records.upsert_records(TICKERS, rows_of(TICKERS, {})).result() == UpsertCounts(1, 0, 0, 3)
        assert records.upsert_records(FILLS, fills_at(1)).result() == UpsertCounts(0, 0, 1, 3)

    def test_a_row_whose_time_moved_is_the_same_row(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(*range(50))).result()
        for time in (T0 - 400 * DAY_MS, T0 + 400 * DAY_MS, T0):
            moved = fills_at(10, 20, time=time)
            assert records.upsert_records(FILLS, moved).result().updated == 2
            found = records.read_records(FILLS, RecordQuery({"fill_id": ["f10", "f20"]}))
            assert found.equals(moved)
        assert records.count_records(FILLS) == 50

    def test_pages_may_come_newest_first_and_overlap(self, records: RecordStore) -> None:
        pages = [fills_at(*range(start + 12, start, -1)) for start in range(90, -1, -10)]
        futures = [records.upsert_records(FILLS, page) for page in pages]
        assert [future.result().inserted for future in futures] == [12] + [10] * 9
        assert [future.result().unchanged for future in futures] == [0] + [2] * 9
        assert ids_of(records.read_records(FILLS)) == [f"f{place}" for place in range(1, 103)]

    def test_a_table_in_chunks_is_one_table(self, records: RecordStore) -> None:
        chunks = pa.concat_tables([fills_at(start, start + 1) for start in range(0, 10, 2)])
        assert records.upsert_records(FILLS, chunks.slice(1, 7)).result().inserted == 7
        assert ids_of(records.read_records(FILLS)) == [f"f{place}" for place in range(1, 8)]

    def test_later_writes_win_in_the_order_given(self, records: RecordStore) -> None:
        prices = [Decimal(price) for price in range(1, 30)]
        futures = [records.upsert_records(FILLS, fills_at(1, 2, price=price)) for price in prices]
        assert [future.result().updated for future in futures] == [0] + [2] * 28
        assert [future.result().revision for future in futures] == list(range(1, 30))
        assert records.read_records(FILLS).column("price").to_pylist() == [prices[-1]] * 2

    def test_tables_and_owners_do_not_mix(self, records: RecordStore) -> None:
        futures = [
            records.upsert_records(table, rows_of(table, {table.owner: f"{number}"}), told)
            for number in range(3)
            for table in RECORD_TABLES.values()
            for told in [claims_of(f"{table.name} {number}", claim(number, number + 1))]
        ]
        assert [future.result().inserted for future in futures] == [1] * 24
        assert sorted(future.result().revision for future in futures) == list(range(1, 25))
        for table in RECORD_TABLES.values():
            assert records.read_records(table).column(table.owner).to_pylist() == ["0", "1", "2"]
            assert records.covered_records(table, f"{table.name} 1", ALWAYS) == [claim(1, 2)]
            assert records.covered_records(table, "fills 1", ALWAYS) == [claim(1, 2)] * (table is FILLS)

    def test_what_breaks_the_schema_is_refused_whole(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(1, 2), claims_of("OKX_MM01", claim(0, 2))).result()
        before = observe_records(records)
        for problem, (table, rows) in BAD_ROWS.items():
            refused = records.upsert_records(table, rows, claims_of("OKX_MM01", claim(0, 99)))
            assert isinstance(refused.exception(), StoreError), problem
            assert observe_records(records) == before, problem
            assert records.covered_records(FILLS, "OKX_MM01", ALWAYS) == [claim(0, 2)], problem
        assert records.upsert_records(FILLS, fills_at(3)).result().revision == 2

    def test_a_bad_write_does_not_fail_its_neighbours(self, records: RecordStore) -> None:
        good = [records.upsert_records(FILLS, fills_at(place)) for place in range(5)]
        bad = records.upsert_records(*BAD_ROWS["a key twice"])
        good += [records.upsert_records(FILLS, fills_at(place)) for place in range(5, 10)]
        assert isinstance(bad.exception(), StoreError)
        assert [future.result().inserted for future in good] == [1] * 10

    def test_a_claim_must_be_sound(self, records: RecordStore) -> None:
        beyond = Coverage(Span(T0, 253_402_300_800_001), "rest", T0)
        for told in (
            claims_of("OKX_MM01", claim(0, 1, "")),
            claims_of("", claim(0, 1)),
            claims_of("x", beyond),
        ):
            with pytest.raises(StoreError, match="claim"):
                records.upsert_records(FILLS, fills_at(1), told).result()
        assert records.count_records(FILLS) == 0

    def test_claims_are_kept_with_rows_and_alone(self, records: RecordStore) -> None:
        told = claims_of("OKX_MM01", claim(0, 5))
        assert records.upsert_records(FILLS, fills_at(1), told).result() == UpsertCounts(1, 0, 0, 1)
        # A snapshot of an empty account.
        empty = claims_of("OKX_MM02", claim(7, 8))
        assert records.upsert_records(BALANCES, BALANCES.empty(), empty).result() == UpsertCounts(0, 0, 0, 2)
        assert records.covered_records(FILLS, "OKX_MM01", ALWAYS) == [claim(0, 5)]
        assert records.covered_records(BALANCES, "OKX_MM02", ALWAYS) == [claim(7, 8)]
        assert records.covered_records(FILLS, "OKX_MM02", ALWAYS) == []

    def test_claims_are_merged_by_owner_and_source(self, records: RecordStore) -> None:
        parts = [claim(20, 30), claim(0, 10), claim(10, 20), claim(5, 25, "archive:a")]
        for part in parts:
            records.upsert_records(FILLS, FILLS.empty(), claims_of("a", part)).result()
        everything = [OwnerClaims("a", [claim(30, 40)]), OwnerClaims("b", [claim(1, 2), claim(2, 3)])]
        assert records.upsert_records(FILLS, FILLS.empty(), everything).result().revision == 5
        assert records.covered_records(FILLS, "a", ALWAYS) == [claim(0, 40), claim(5, 25, "archive:a")]
        assert records.covered_records(FILLS, "b", ALWAYS) == [claim(1, 3)]
        assert records.covered_records(FILLS, "a", claim(6, 9).span) == [
            claim(6, 9, "archive:a"),
            claim(6, 9),
        ]
        assert records.covered_records(FILLS, "a", claim(40, 50).span) == []

    def test_a_later_check_replaces_what_it_overlaps(self, records: RecordStore) -> None:
        later = claim(10, 20, checked_ms=T0 + DAY_MS)
        for told in (claim(0, 30), later):
            records.upsert_records(FILLS, FILLS.empty(), claims_of("a", told)).result()
        assert records.covered_records(FILLS, "a", ALWAYS) == [claim(0, 10), later, claim(20, 30)]

    def test_a_claim_that_adds_nothing_takes_no_revision(self, records: RecordStore) -> None:
        told = claims_of("a", claim(0, 10))
        records.upsert_records(FILLS, fills_at(1), told).result()
        again = claims_of("a", claim(2, 8, checked_ms=T0 + 5))
        assert records.upsert_records(FILLS, fills_at(1), again).result() == UpsertCounts(0, 0, 1, 1)
        assert records.covered_records(FILLS, "a", ALWAYS) == [claim(0, 10)]

    def test_a_span_is_half_open(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(*range(10))).result()
        assert ids_of(records.read_records(FILLS, RecordQuery(span=claim(3, 6).span))) == ["f3", "f4", "f5"]
        assert records.count_records(FILLS, RecordQuery(span=claim(10, 20).span)) == 0
        assert records.count_records(FILLS, RecordQuery(span=Span(-(10**18), 10**18))) == 10

    def test_equal_times_are_ordered_by_the_key(self, records: RecordStore) -> None:
        names = ["a", "B", "b", "ä", "a1", "Z", "\U0001f600", "z\ue000"]
        for name in names:
            row = {"kind": name[0], "transfer_id": name, "time": T0}
            records.upsert_records(TRANSFERS, rows_of(TRANSFERS, row)).result()
        late = {"kind": "A", "transfer_id": "late", "time": T0 + 1}
        records.upsert_records(TRANSFERS, rows_of(TRANSFERS, late)).result()
        in_order = sorted(names, key=lambda name: (name[0], name))  # by code point
        for is_newest_first, expected in ((False, [*in_order, "late"]), (True, ["late", *in_order])):
            query = RecordQuery(newest_first=is_newest_first)
            assert records.read_records(TRANSFERS, query).column("transfer_id").to_pylist() == expected

    def test_pages_of_a_query_tile_it(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(*range(5), time=T0)).result()
        records.upsert_records(FILLS, fills_at(*range(5, 23))).result()
        for is_newest_first in (False, True):
            whole = records.read_records(FILLS, RecordQuery(newest_first=is_newest_first))
            pages = [
                records.read_records(FILLS, RecordQuery(newest_first=is_newest_first, offset=offset, limit=4))
                for offset in range(0, 28, 4)
            ]
            assert [len(page) for page in pages] == [4] * 5 + [3, 0]
            assert pa.concat_tables(pages).equals(whole)
        query = RecordQuery(offset=4, limit=2)
        assert records.count_records(FILLS, query) == 23
        assert ids_of(records.read_records(FILLS, RecordQuery(offset=20))) == ["f20", "f21", "f22"]
        assert ids_of(records.read_records(FILLS, RecordQuery(limit=0))) == []

    def test_rows_are_chosen_by_their_texts(self, records: RecordStore) -> None:
        for symbol, fee_asset in (("BTC_USDT.OKX", "BTC"), ("ETH_USDT.OKX", None), ("BTCXUSDT.GIO", "USDT")):
            records.upsert_records(
                FILLS, fills_at(1, 2, account=symbol[:3] + symbol[-3:], symbol=symbol, fee_asset=fee_asset)
            ).result()

        def symbols(query: RecordQuery) -> set[str]:
            found = records.read_records(FILLS, query).column("symbol").to_pylist()
            assert records.count_records(FILLS, query) == len(found)
            return {symbol[:3] + symbol[-3:] for symbol in found}

        assert symbols(RecordQuery(where={"fee_asset": ["BTC", "USDT"]})) == {"BTCOKX", "BTCGIO"}
        assert symbols(RecordQuery(where={"fee_asset": ["BTC", "USDT"], "symbol": ["BTC_USDT.OKX"]})) == {
            "BTCOKX"
        }
        assert (
            symbols(RecordQuery(where={"fee_asset": []}))
            == symbols(RecordQuery(where={"fee_asset": ["btc"]}))
            == set()
        )
        assert symbols(RecordQuery(starts_with={"symbol": "BTC_"})) == {"BTCOKX"}
        assert (
            symbols(RecordQuery(starts_with={"symbol": "%"}))
            == symbols(RecordQuery(starts_with={"symbol": "btc"}))
            == set()
        )
        assert symbols(RecordQuery(ends_with={"symbol": ".OKX"})) == {"BTCOKX", "ETHOKX"}
        assert symbols(RecordQuery(ends_with={"symbol": "_OKX"})) == set()
        assert symbols(RecordQuery(starts_with={"symbol": "BTC"}, ends_with={"symbol": ".GIO"})) == {"BTCGIO"}
        # Null begins and ends with nothing, not even with an empty text.
        assert symbols(RecordQuery(starts_with={"fee_asset": ""})) == {"BTCOKX", "BTCGIO"}
        assert symbols(RecordQuery(ends_with={"fee_asset": ""})) == {"BTCOKX", "BTCGIO"}

    def test_the_latest_of_each(self, records: RecordStore) -> None:
        moments = [(0, "BTC", 5), (1, "BTC", 6), (1, "ETH", 7), (2, "ETH", 8), (1, "SOL", 9)]
        for minute, asset, total in moments:
            row = {"asset": asset, "time": T0 + minute * 60_000, "total": Decimal(total)}
            records.upsert_records(BALANCES, rows_of(BALANCES, row)).result()

        by_asset = RecordQuery(latest_by=["account", "asset"])
        assert records.count_records(BALANCES, by_asset) == 3

        def totals(query: RecordQuery) -> list[int]:
            found = records.read_records(BALANCES, query)
            return [int(total) for total in found.column("total").to_pylist()]

        assert totals(by_asset) == [6, 9, 8]
        assert totals(replace(by_asset, newest_first=True)) == [8, 6, 9]
        assert totals(replace(by_asset, newest_first=True, offset=1, limit=1)) == [6]
        assert totals(replace(by_asset, span=claim(0, 2).span)) == [6, 7, 9]
        assert totals(replace(by_asset, where={"asset": ["ETH", "BTC"]})) == [6, 8]
        assert records.count_records(BALANCES, RecordQuery(latest_by=["wallet"], span=claim(0, 1).span)) == 1

    def test_the_latest_of_equal_times_has_the_greatest_key(self, records: RecordStore) -> None:
        records.upsert_records(FILLS, fills_at(3, 1, 2, time=T0, fee_asset=None)).result()
        records.upsert_records(FILLS, fills_at(5, 4, time=T0, fee_asset="BTC")).result()
        latest = records.read_records(FILLS, RecordQuery(latest_by=["fee_asset"]))
        assert ids_of(latest) == ["f3", "f5"], "null is a value of its own"

    def test_all_of_it_is_there_after_reopening(
        self, records: RecordStore, reopen: Callable[[RecordStore], RecordStore]
    ) -> None:
        for table in RECORD_TABLES.values():
            told = claims_of(table.name, claim(0, 9), claim(20, 30, "archive:a"))
            records.upsert_records(table, rows_of(table, {}), told).result()
        before = observe_records(records)
        again = reopen(records)
        assert observe_records(again) == before
        for table in RECORD_TABLES.values():
            assert len(before[table.name]) == again.count_records(table) == 1
            assert again.covered_records(table, table.name, ALWAYS) == [
                claim(0, 9),
                claim(20, 30, "archive:a"),
            ]
            counts = again.upsert_records(table, rows_of(table, {})).result()
            assert counts == UpsertCounts(0, 0, 1, len(RECORD_TABLES))
        assert again.upsert_records(FILLS, fills_at(1)).result().revision == len(RECORD_TABLES) + 1

    def test_a_question_must_fit_the_table(self, records: RecordStore) -> None:
        for query, problem in (
            (RecordQuery(where={"wallet": ["x"]}), "fills has no column 'wallet'"),
            (RecordQuery(starts_with={"wallet": "x"}), "fills has no column 'wallet'"),
            (RecordQuery(ends_with={"revision": "x"}), "fills has no column 'revision'"),
            (RecordQuery(latest_by=["symbol", "nope"]), "fills has no column 'nope'"),
            (RecordQuery(where={"price": ["1"]}), r"price is decimal128\(38, 18\), not text"),
            (RecordQuery(ends_with={"time": "Z"}), "not text"),
        ):
            for ask in (records.read_records, records.count_records):
                with pytest.raises(StoreError, match=problem):
                    ask(FILLS, query)
        for query in (RecordQuery(limit=-1), RecordQuery(offset=-1)):
            with pytest.raises(InputError, match="-1 is negative"):
                records.read_records(FILLS, query)
        with pytest.raises(StoreError, match="no such table"):
            records.covered_records(BAD_ROWS["a table of no catalog"][0], "a", ALWAYS)

    def test_writers_of_many_threads(self, records: RecordStore) -> None:
        def write(worker: int) -> list[UpsertCounts]:
            futures = [
                records.upsert_records(FILLS, fills_at(*range(part, part + 3), account=account))
                for part in range(10)
                for account in ("shared", f"own {worker}")
            ]
            return [future.result() for future in futures]

        with ThreadPoolExecutor(6) as pool:
            counts = [count for found in pool.map(write, range(6)) for count in found]
        assert sum(count.inserted for count in counts) == 12 * 7
        changed = [count.revision for count in counts if count.inserted or count.updated]
        assert sorted(changed) == list(range(1, len(changed) + 1))
        assert records.count_records(FILLS) == 12 * 7

    def test_reads_beside_writes_see_whole_writes(self, records: RecordStore) -> None:
        is_done = threading.Event()

        def watch() -> list[set[Decimal]]:
            seen = []
            while not is_done.is_set():
                claimed = records.covered_records(FILLS, "a", ALWAYS)
                rows = records.read_records(FILLS)
                assert len(rows) in (0, 50)
                assert len(rows) or not claimed, "claimed, but not there"
                seen.append(set(rows.column("price").to_pylist()))
            return seen

        with ThreadPoolExecutor(2) as pool:
            watchers = [pool.submit(watch) for _ in range(2)]
            for round_ in range(1, 25):
                rows = fills_at(*range(50), price=Decimal(round_))
                records.upsert_records(FILLS, rows, claims_of("a", claim(0, round_))).result()
            is_done.set()
            assert all(len(prices) <= 1 for watcher in watchers for prices in watcher.result())

    @pytest.mark.parametrize(
        "table",
        [FILLS, ORDERBOOKS, SYMBOLS, TICKERS],
        ids=lambda table: table.name,
    )
    def test_it_behaves_like_a_dictionary(
        self,
        open_records: Callable[[], RecordStore],
        reopen: Callable[[RecordStore], RecordStore],
        table: RecordTable,
    ) -> None:
        """Random writes, several at once, and random questions, against plain dictionaries."""

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def check(data: st.DataObject) -> None:
            records, model = open_records(), RecordModel(table)
            newest = 0
            write = some_writes(table, data.draw(some_values(table)))
            for writes in data.draw(st.lists(st.lists(write, min_size=1, max_size=4), max_size=3)):
                newest = write_both(records, model, writes, newest)
                if data.draw(st.booleans()):
                    records = reopen(records)
                for query in data.draw(st.lists(some_queries(table), min_size=1, max_size=3)):
                    expected = model.read(query)
                    assert records.read_records(table, query).equals(rows_of(table, *expected))
                    assert records.count_records(table, query) == model.count(query)
                for owner in model.claimed:
                    claims = records.covered_records(table, owner, ALWAYS)
                    assert merge(one.span for one in claims) == merge(model.claimed[owner])

        check()

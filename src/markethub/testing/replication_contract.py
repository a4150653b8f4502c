"""What every ``DataStore`` must do for replication; subclass it and tell how to open one::

class TestMyReplica(ReplicationContract):
    @pytest.fixture
    def open_store(self) -> Iterator[Callable[[], DataStore]]:
        ...
"""

# ruff: noqa: S101 - assert is how pytest speaks

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import pyarrow as pa
import pytest

from markethub.domain.errors import ConflictError, StoreError
from markethub.domain.interval import Interval
from markethub.domain.selection import EVERYTHING, Selection
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, Patch, PatchCounts, RecordPatch, SeriesPatch
from markethub.ports.store import Coverage
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.tables.records import RecordTable
from markethub.tables.tickers import TICKERS
from markethub.testing.claim_contract import FollowedClaimsContract
from markethub.testing.record_rows import ALWAYS, fills_at, rows_of
from markethub.testing.replica_histories import CLAIM_CHANGES, check_random_histories
from markethub.testing.replica_moves import ENOUGH, OWNER, claim, clear, content_of, delete_fills, follow
from markethub.testing.store_contract import (
    APPLE_DAYS,
    BTC,
    BTC_HOURS,
    ETH,
    T0,
    bars_at,
    minute_span,
    minutes,
    times_of,
)

_SERIES = (BTC, ETH, BTC_HOURS)


class Taken(NamedTuple):
    """What a selection takes of the store that the test makes."""

    series: AbstractSet[Series]
    fills: int
    fill_claims: int
    tickers: int


_BTC_BNC, _BTC_OKX = Symbol.parse("BTC_USDT.BNC"), Symbol.parse("BTC_USDT.OKX")
_SELECTIONS = {
    "venue": (Selection(venues=frozenset({"BNC"})), Taken({BTC, BTC_HOURS, ETH}, 0, 0, 1)),
    "venue of an account": (Selection(venues=frozenset({"OKX"})), Taken(set(), 1, 1, 1)),
    "symbol": (Selection(symbols=frozenset({_BTC_BNC})), Taken({BTC, BTC_HOURS}, 0, 0, 1)),
    # the account's claim is about all its fills, which the replica will not have
    "symbol of a fill": (Selection(symbols=frozenset({_BTC_OKX})), Taken(set(), 1, 0, 0)),
    "interval": (Selection(intervals=frozenset({Interval.M1})), Taken({BTC, ETH}, 1, 1, 2)),
    "kind": (Selection(kinds=frozenset({DataKind.FILL})), Taken(set(), 1, 1, 0)),
    "kinds": (
        Selection(kinds=frozenset({DataKind.KLINE, DataKind.TICKER})),
        Taken({BTC, BTC_HOURS, ETH, APPLE_DAYS}, 0, 0, 2),
    ),
}


class ReplicationContract(FollowedClaimsContract):
    """Subclass it; ``open_store`` opens an empty store each time it is called and closes them all.

    ``random_histories`` says how many pairs of stores the random test opens.
    """

    random_histories = 25

    @pytest.fixture
    def reopen(self) -> Callable[[DataStore], DataStore]:
        """What closes a store of ``open_store`` and opens it again; left alone, it does neither."""
        return lambda store: store

    def test_each_store_has_a_name_of_its_own(self, source: DataStore, target: DataStore) -> None:
        assert source.replica.store_id != target.replica.store_id
        assert len(bytes.fromhex(source.replica.store_id)) == 16

    def test_an_empty_store_has_no_changes(self, source: DataStore) -> None:
        assert source.replica.read_changes(0, 10, EVERYTHING) == ChangeSet(0, 0, 0)
        assert source.replica.oldest_revision() == 0

    def test_bars_claims_and_records_arrive(self, source: DataStore, target: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 100)), [claim(0, 100)]).result()
        source.upsert(APPLE_DAYS, bars_at([T0]), [Coverage(Span(T0, T0 + 86_400_000), "rest", T0)]).result()
        source.upsert(ETH, empty_klines(), [claim(0, 5, "archive:a sha256:b")]).result()
        source.records.upsert_records(FILLS, fills_at(1, 2), [OwnerClaims(OWNER, [claim(0, 9)])]).result()
        source.records.upsert_records(TICKERS, rows_of(TICKERS, {"symbol": "BTC_USDT.BNC"})).result()
        assert follow(source, target) == source.revision()
        assert content_of(target) == content_of(source)

    @pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: str(table.name))
    def test_rows_of_every_table_arrive(
        self, source: DataStore, target: DataStore, table: RecordTable
    ) -> None:
        source.records.upsert_records(table, rows_of(table, {})).result()
        follow(source, target)
        assert content_of(target) == content_of(source)

    def test_only_what_changed_is_sent(self, source: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 100))).result()
        before = source.revision()
        source.upsert(BTC, bars_at(minutes(50, 101), 100.0)).result()
        source.upsert(BTC, bars_at([T0 + 7 * 60_000], 200.0)).result()
        changes = source.replica.read_changes(before, ENOUGH, EVERYTHING)
        assert [times_of(one.bars) for one in changes.series] == [[T0 + 7 * 60_000, T0 + 100 * 60_000]]

    def test_a_set_holds_whole_revisions_and_at_least_one(self, source: DataStore) -> None:
        for start in (0, 10, 20):
            source.upsert(BTC, bars_at(minutes(start, start + 10))).result()
        sizes = []
        after = 0
        while after < source.revision():
            changes = source.replica.read_changes(after, 20, EVERYTHING)
            assert (changes.after, changes.newest) == (after, 3)
            sizes.append(changes.rows)
            after = changes.upto
        assert sizes == [20, 10]
        assert source.replica.read_changes(0, 1, EVERYTHING).rows == 10

    def test_an_amended_bar_is_sent_as_it_is_now(self, source: DataStore, target: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 3))).result()
        seen = follow(source, target)
        source.upsert(BTC, bars_at(minutes(1, 2), 5.0)).result()
        source.upsert(BTC, bars_at(minutes(1, 2), 6.0)).result()
        follow(source, target, after=seen, most_rows=1)
        assert target.read(BTC).equals(source.read(BTC))

    def test_what_is_cleared_goes_and_the_rest_stays(self, target: DataStore) -> None:
        target.upsert(BTC, bars_at(minutes(0, 10)), [claim(0, 10)]).result()
        patch = SeriesPatch(
            BTC,
            bars_at(minutes(3, 5)),
            [claim(3, 4, "files")],
            cleared=[minute_span(2, 6)],
            unclaimed=[minute_span(2, 6)],
        )
        assert clear(target, patch) == PatchCounts(inserted=0, updated=0, unchanged=2, deleted=2)
        assert times_of(target.read(BTC)) == minutes(0, 2) + minutes(3, 5) + minutes(6, 10)
        assert target.covered(BTC, ALWAYS) == [claim(0, 2), claim(3, 4, "files"), claim(6, 10)]
        (summary,) = target.summaries()
        assert (summary.rows, summary.first_ms, summary.last_ms) == (8, T0, T0 + 9 * 60_000)

    def test_a_series_may_lose_its_ends_and_all(self, target: DataStore) -> None:
        target.upsert(BTC, bars_at(minutes(0, 10))).result()
        clear(target, SeriesPatch(BTC, empty_klines(), cleared=[minute_span(0, 2), minute_span(8, 20)]))
        (summary,) = target.summaries()
        assert (summary.rows, summary.first_ms, summary.last_ms) == (6, T0 + 2 * 60_000, T0 + 7 * 60_000)
        clear(target, SeriesPatch(BTC, empty_klines(), cleared=[minute_span(0, 20)]))
        assert len(target.read(BTC)) == 0
        assert target.upsert(BTC, bars_at(minutes(4, 6))).result().inserted == 2
        assert times_of(target.read(BTC)) == minutes(4, 6)

    def test_the_same_patch_twice_does_nothing_twice(self, target: DataStore) -> None:
        patch = SeriesPatch(
            BTC, bars_at(minutes(0, 4)), [claim(0, 9)], [minute_span(0, 9)], [minute_span(0, 9)]
        )
        fills = RecordPatch(FILLS, fills_at(1), fills_at(2).select(list(FILLS.key)))
        first = target.replica.apply_patch(Patch((patch,), (fills,))).result()
        revision = target.revision()
        second = target.replica.apply_patch(Patch((patch,), (fills,))).result()
        assert (first, second) == (PatchCounts(5, 0, 0, 0), PatchCounts(0, 0, 5, 0))
        assert target.revision() == revision

    def test_deletions_are_carried(self, source: DataStore, target: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 50)), [claim(0, 50), claim(0, 50, "files")]).result()
        source.records.upsert_records(FILLS, fills_at(1, 2, 3)).result()
        seen = follow(source, target)
        clear(source, SeriesPatch(BTC, empty_klines(), (), [minute_span(5, 9)], [minute_span(5, 7)]))
        delete_fills(source, 2, 9)
        follow(source, target, after=seen, most_rows=1)
        assert content_of(target) == content_of(source)
        assert times_of(target.read(BTC)) == minutes(0, 5) + minutes(9, 50)

    def test_a_claim_that_stays_beside_one_taken_back_is_told_again(
        self, source: DataStore, target: DataStore
    ) -> None:
        source.upsert(BTC, empty_klines(), [claim(0, 50), claim(0, 50, "files")]).result()
        seen = follow(source, target)
        stays = SeriesPatch(BTC, empty_klines(), [claim(0, 50, "files")], unclaimed=[minute_span(0, 50)])
        clear(source, stays)
        follow(source, target, after=seen)
        assert target.covered(BTC, ALWAYS) == source.covered(BTC, ALWAYS) == [claim(0, 50, "files")]

    def test_what_was_deleted_may_come_again(self, source: DataStore, target: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 5)), [claim(0, 5)]).result()
        source.records.upsert_records(FILLS, fills_at(1)).result()
        seen = follow(source, target)
        clear(source, SeriesPatch(BTC, empty_klines(), (), [minute_span(0, 5)], [minute_span(0, 5)]))
        delete_fills(source, 1)
        source.upsert(BTC, bars_at(minutes(2, 3), 9.0), [claim(2, 3)]).result()
        source.records.upsert_records(FILLS, fills_at(1)).result()
        follow(source, target, after=seen)
        assert content_of(target) == content_of(source)

    def test_a_replica_can_be_followed_itself(
        self, source: DataStore, target: DataStore, open_store: Callable[[], DataStore]
    ) -> None:
        third = open_store()
        source.upsert(BTC, bars_at(minutes(0, 50)), [claim(0, 50)]).result()
        seen, seen_there = follow(source, target), follow(target, third)
        clear(source, SeriesPatch(BTC, empty_klines(), (), [minute_span(5, 9)], [minute_span(5, 7)]))
        follow(source, target, after=seen)
        follow(target, third, after=seen_there)
        assert content_of(third) == content_of(source)

    @pytest.mark.parametrize(("selection", "taken"), _SELECTIONS.values(), ids=_SELECTIONS)
    def test_a_selection_is_followed(
        self, source: DataStore, target: DataStore, selection: Selection, taken: "Taken"
    ) -> None:
        for one in (BTC, BTC_HOURS, ETH, APPLE_DAYS):
            source.upsert(one, bars_at([T0])).result()
        bought = rows_of(FILLS, {"account": OWNER, "symbol": "BTC_USDT"})
        source.records.upsert_records(FILLS, bought, [OwnerClaims(OWNER, [claim(0, 5)])]).result()
        quotes = [{"symbol": "BTC_USDT.BNC"}, {"symbol": "ETH_USDT.OKX"}]
        source.records.upsert_records(TICKERS, rows_of(TICKERS, *quotes)).result()
        assert follow(source, target, selection=selection) == source.revision()
        assert taken == Taken(
            {one.series for one in target.summaries()},
            target.records.count_records(FILLS),
            len(target.records.covered_records(FILLS, OWNER, ALWAYS)),
            target.records.count_records(TICKERS),
        )

    def test_forgotten_changes_are_noticed(self, source: DataStore) -> None:
        source.records.upsert_records(FILLS, fills_at(1, 2)).result()
        delete_fills(source, 1)
        for minute in range(5):
            source.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
        assert source.replica.trim_changes(2) == 4  # one deletion and three writes of bars
        assert source.replica.oldest_revision() == 5
        with pytest.raises(ConflictError, match="trimmed"):
            source.replica.read_changes(4, 10, EVERYTHING)
        assert source.replica.read_changes(5, 10, EVERYTHING).rows == 2
        assert source.replica.trim_changes(2) == 0
        assert len(source.read(BTC)) == 5

    def test_a_mark_ahead_of_the_store_is_noticed(self, source: DataStore) -> None:
        with pytest.raises(ConflictError, match="ahead"):
            source.replica.read_changes(1, 10, EVERYTHING)

    def test_a_series_and_a_table_know_their_newest_revision(self, source: DataStore) -> None:
        assert (source.replica.series_revision(BTC), source.replica.record_revision(FILLS)) == (0, 0)
        source.upsert(ETH, bars_at([T0])).result()
        source.upsert(BTC, bars_at([T0])).result()
        source.records.upsert_records(FILLS, fills_at(1)).result()
        clear(source, SeriesPatch(BTC, empty_klines(), cleared=[minute_span(0, 1)]))
        assert (source.replica.series_revision(ETH), source.replica.series_revision(BTC)) == (1, 4)
        assert source.replica.record_revision(FILLS) == 3
        assert source.replica.newest_revision() == source.revision() == 4

    def test_a_read_of_a_revision_leaves_the_next_read_alone(self, source: DataStore) -> None:
        source.records.upsert_records(FILLS, fills_at(1)).result()
        assert source.replica.record_revision(FILLS) == 1
        assert source.replica.read_record_claims(TICKERS) == []
        assert source.replica.series_revision(BTC) == 0
        assert source.replica.read_mark("none") is None

    def test_the_backlog_is_what_lies_after_a_revision(self, source: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 10)), [claim(0, 10)]).result()
        source.upsert(ETH, bars_at(minutes(0, 3))).result()
        source.records.upsert_records(FILLS, fills_at(1, 2), [OwnerClaims(OWNER, [claim(0, 9)])]).result()
        read = source.replica.read_backlog
        told = [read(after, EVERYTHING) for after in (0, 1, 2, 3, 9)]
        assert [(one.revisions, one.rows) for one in told] == [(3, 15), (2, 5), (1, 2), (0, 0), (0, 0)]
        assert [one.since_ms is None for one in told] == [False, False, False, True, True]

    def test_the_backlog_counts_what_is_wanted(self, source: DataStore) -> None:
        for one in (BTC, BTC_HOURS, ETH, APPLE_DAYS):
            source.upsert(one, bars_at([T0])).result()
        bought = rows_of(FILLS, {"account": OWNER, "symbol": "BTC_USDT"})
        source.records.upsert_records(FILLS, bought).result()
        quotes = [{"symbol": "BTC_USDT.BNC"}, {"symbol": "ETH_USDT.OKX"}]
        source.records.upsert_records(TICKERS, rows_of(TICKERS, *quotes)).result()
        told = {
            name: source.replica.read_backlog(0, selection) for name, (selection, _) in _SELECTIONS.items()
        }
        assert {one.revisions for one in told.values()} == {6}
        assert {name: one.rows for name, one in told.items()} == {
            name: len(taken.series) + taken.fills + taken.tickers for name, (_, taken) in _SELECTIONS.items()
        }

    def test_deletions_and_claims_alone_are_a_backlog_without_rows(self, source: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(0, 10)), [claim(0, 10)]).result()
        source.records.upsert_records(FILLS, fills_at(1)).result()
        after = source.revision()
        steps: list[Callable[[], object]] = [
            lambda: clear(source, SeriesPatch(BTC, empty_klines(), cleared=[minute_span(2, 6)])),
            lambda: source.upsert(BTC, empty_klines(), [claim(10, 20)]).result(),
            lambda: delete_fills(source, 1),
            lambda: source.records.upsert_records(
                FILLS, FILLS.empty(), [OwnerClaims(OWNER, [claim(0, 9)])]
            ).result(),
        ]
        for step in steps:
            step()
            told = source.replica.read_backlog(after, EVERYTHING)
            assert (told.revisions, told.rows, told.since_ms is None) == (1, 0, False)
            after = source.revision()

    def test_the_backlog_of_what_was_trimmed_is_told_as_far_as_it_is_known(self, source: DataStore) -> None:
        for minute in range(5):
            source.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
        source.replica.trim_changes(2)
        told = source.replica.read_backlog(0, EVERYTHING)
        assert (told.revisions, told.since_ms is None) == (5, False)

    def test_whole_series_are_read_at_once(self, source: DataStore) -> None:
        source.upsert(BTC, bars_at(minutes(5, 9)), [claim(0, 9), claim(3, 4, "files")]).result()
        source.upsert(BTC, bars_at(minutes(0, 2))).result()
        source.upsert(BTC_HOURS, bars_at([T0])).result()
        source.upsert(APPLE_DAYS, empty_klines(), [Coverage(Span(T0, T0 + 86_400_000), "rest", T0)]).result()
        asked = [BTC_HOURS, ETH, APPLE_DAYS, BTC]
        found = source.replica.read_whole(asked)
        assert [one.series for one in found] == [BTC_HOURS, APPLE_DAYS, BTC]
        for one in found:
            assert one.bars.equals(source.read(one.series))
            assert set(one.claims) == set(source.covered(one.series, ALWAYS))
            assert not one.cleared
            assert not one.unclaimed
        assert source.replica.read_whole([]) == []

    def test_marks_are_written_with_the_patch_or_not_at_all(self, target: DataStore) -> None:
        replica = target.replica
        assert replica.read_mark("a") is None
        replica.apply_patch(Patch(marks={"a": "1", "b": "2"})).result()
        replica.apply_patch(Patch((SeriesPatch(BTC, bars_at([T0])),), marks={"a": "3", "b": None})).result()
        assert (replica.read_mark("a"), replica.read_mark("b"), len(target.read(BTC))) == ("3", None, 1)
        broken = SeriesPatch(ETH, bars_at([T0 + 1]))
        sound = SeriesPatch(BTC, empty_klines(), cleared=[ALWAYS])
        with pytest.raises(StoreError, match="off the 1m grid"):
            replica.apply_patch(Patch((sound, broken), marks={"a": "4"})).result()
        assert (replica.read_mark("a"), len(target.read(BTC))) == ("3", 1)

    def test_a_broken_table_of_records_is_refused_whole(self, target: DataStore) -> None:
        rows = pa.concat_tables([fills_at(1), fills_at(1)])
        records = (RecordPatch(FILLS, rows, FILLS.empty().select(list(FILLS.key))),)
        with pytest.raises(StoreError, match="more than once"):
            target.replica.apply_patch(Patch((SeriesPatch(BTC, bars_at([T0])),), records)).result()
        assert target.summaries() == []

    def test_one_series_stands_once_in_a_patch(self, target: DataStore) -> None:
        with pytest.raises(StoreError, match="twice"):
            clear(target, SeriesPatch(BTC, bars_at([T0])), SeriesPatch(BTC, empty_klines()))

    def test_marks_and_changes_outlive_the_store(
        self, source: DataStore, target: DataStore, reopen: Callable[[DataStore], DataStore]
    ) -> None:
        source.upsert(BTC, bars_at(minutes(0, 9)), [claim(0, 9)]).result()
        clear(source, SeriesPatch(BTC, empty_klines(), (), [minute_span(2, 4)], [minute_span(2, 3)]))
        source.records.upsert_records(FILLS, fills_at(1, 2)).result()
        delete_fills(source, 1)
        source.replica.apply_patch(Patch(marks={"seen": "x"})).result()
        name = source.replica.store_id
        again = reopen(source)
        assert (again.replica.store_id, again.replica.read_mark("seen")) == (name, "x")
        follow(again, target)
        assert content_of(target) == content_of(again)

    def test_random_changes_arrive(self, open_store: Callable[[], DataStore]) -> None:
        check_random_histories(open_store, open_store, self.random_histories)

    def test_random_claims_arrive(self, open_store: Callable[[], DataStore]) -> None:
        check_random_histories(open_store, open_store, self.random_histories, CLAIM_CHANGES)

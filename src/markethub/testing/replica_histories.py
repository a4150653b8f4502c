"""Random histories of a store, followed by a second one, and this one by a third."""

# ruff: noqa: S101 - assert is how pytest speaks

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.selection import EVERYTHING
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import SeriesPatch
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.record_rows import fills_at
from markethub.testing.replica_moves import (
    OWNER,
    claim,
    claims_patch,
    clear,
    content_of,
    delete_fills,
    follow,
    follow_set,
)
from markethub.testing.store_contract import BTC, ETH, T0, bars_at, minute_span, minutes

_MINUTES = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda pair: (pair[0], sum(pair)))
_SERIES = st.sampled_from([BTC, ETH])
# Of few days, so that some claims become one, and others cut each other.
_CHECKED = st.integers(0, 5).map(lambda place: T0 + place * 28_800_000)
_NEAR = st.tuples(st.integers(0, 5), st.integers(1, 6)).map(lambda pair: (pair[0], sum(pair)))
CLAIM_CHANGES = st.one_of(
    st.tuples(st.just("claim"), st.just(BTC), _NEAR, st.just("rest")),
    st.tuples(st.just("fills"), st.just(BTC), _NEAR, st.just("buy")),
    st.tuples(st.just("claim"), st.just(BTC), _NEAR, st.just("files")),
    st.tuples(st.just("replace"), st.just(BTC), _NEAR, st.lists(_NEAR, max_size=2)),
    st.tuples(st.just("unclaim"), st.just(BTC), _NEAR, st.lists(_NEAR, max_size=2)),
)
"""Of claims about one series and one owner: among others they seldom meet."""
ALL_CHANGES = st.one_of(
    st.tuples(st.just("bars"), _SERIES, _MINUTES, st.sampled_from([1.0, 2.0])),
    st.tuples(st.just("claim"), _SERIES, _MINUTES, st.sampled_from(["rest", "files"])),
    st.tuples(st.just("clear"), _SERIES, _MINUTES, _MINUTES),
    st.tuples(st.just("fills"), st.just(BTC), _MINUTES, st.sampled_from(["buy", "sell"])),
    st.tuples(st.just("delete"), st.just(BTC), _MINUTES, st.none()),
    CLAIM_CHANGES,
)


def check_random_histories(
    open_source: Callable[[], DataStore],
    open_target: Callable[[], DataStore],
    histories: int,
    changes: st.SearchStrategy[tuple[Any, ...]] = ALL_CHANGES,
) -> None:
    """Random writes, claims and deletions reach the target, whatever the sizes and moments of the sets.

    They reach a third store that follows the target, too, also while the target is on its way.
    """

    @settings(max_examples=histories, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        source, target, third = open_source(), open_target(), open_source()
        seen = seen_there = 0
        for _ in range(data.draw(st.integers(1, 5))):
            for _ in range(data.draw(st.integers(1, 4))):
                _change(source, data.draw(changes), data.draw(_CHECKED))
            most_rows = data.draw(st.integers(1, 30))
            moves = data.draw(st.sets(st.sampled_from(["set", "target", "third"])))
            if "set" in moves:
                seen = follow_set(source, target, seen, most_rows, EVERYTHING).upto
            if "target" in moves:
                seen = follow(source, target, after=seen, most_rows=most_rows)
                assert content_of(target) == content_of(source)
            if "third" in moves:
                seen_there = follow(target, third, after=seen_there, most_rows=most_rows)
                assert content_of(third) == content_of(target)
        follow(source, target, after=seen, most_rows=data.draw(st.integers(1, 30)))
        follow(target, third, after=seen_there)
        assert content_of(third) == content_of(target) == content_of(source)

    check()


def _change(store: DataStore, change: Sequence[Any], checked_ms: int) -> None:
    what, series, (start, stop), detail = change
    if what == "bars":
        store.upsert(series, bars_at(minutes(start, stop), detail)).result()
    elif what == "claim":
        store.upsert(series, empty_klines(), [claim(start, stop, detail, checked_ms)]).result()
    elif what == "clear":
        spans = [minute_span(start, stop)], [minute_span(*detail)]
        clear(store, SeriesPatch(series, empty_klines(), (), *spans))
    elif what == "replace":
        told = [claim(first, end, "rest", checked_ms) for first, end in detail]
        clear(store, SeriesPatch(series, empty_klines(), told, (), [minute_span(start, stop)]))
    elif what == "fills":
        rows = fills_at(*range(start, stop), side=detail)
        claims = [OwnerClaims(OWNER, [claim(start, stop, "rest", checked_ms)])]
        store.records.upsert_records(FILLS, rows, claims).result()
    elif what == "delete":
        delete_fills(store, *range(start, stop))
    else:
        told = [claim(first, end, "rest", checked_ms) for first, end in detail]
        patch = claims_patch(*([OwnerClaims(OWNER, told)] if told else []), unclaimed=[OWNER])
        store.replica.apply_patch(patch).result()

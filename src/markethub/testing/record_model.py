"""Plain dictionaries that say what a ``RecordStore`` should answer, and random content to ask about."""

# ruff: noqa: S101 - assert is how pytest speaks

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from markethub.domain.span import Span, subtract
from markethub.ports.records import OwnerClaims, RecordQuery, RecordStore
from markethub.ports.store import Coverage
from markethub.tables.records import AMOUNT, TIME, RecordTable
from markethub.testing.record_rows import T0, claim, rows_of

Record = dict[str, Any]
"""One row: values by column, times as Unix milliseconds."""
Write = tuple[list[Record], list[tuple[str, Span]]]
"""Rows of distinct keys, and the spans that are claimed of owners."""

_texts = st.sampled_from(["", "a", "A", "ab", "a_b", "a%", "b\x00", "é", "\U0001f600"]) | st.text(max_size=3)
_few_texts = st.sampled_from(["a", "ab", "b"])
_times = st.integers(T0, T0 + 5) | st.integers(-(10**13), 10**14)
_few_times = st.integers(T0, T0 + 3)
_numbers = st.sampled_from([0.0, 1.0, 1.5]) | st.floats(allow_nan=False, allow_infinity=False)
_amounts = st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("1e-18")]) | st.integers(
    1 - 10**38, 10**38 - 1
).map(lambda unscaled: Decimal(f"{unscaled}e-18"))

_VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): _texts,
    TIME: _times,
    AMOUNT: _amounts,
    pa.float64(): _numbers,
    pa.int64(): st.integers(0, 2) | st.integers(-(2**63), 2**63 - 1),
    pa.int32(): st.integers(0, 2) | st.integers(-(2**31), 2**31 - 1),
    pa.list_(pa.float64()): st.lists(_numbers, max_size=3),
}
_KEYS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): _few_texts,
    TIME: _few_times,
    pa.int32(): st.integers(1, 2),
}


class RecordModel:
    """The rows of one table, and what is claimed of its owners."""

    def __init__(self, table: RecordTable) -> None:
        self.table = table
        self.claimed: defaultdict[str, list[Span]] = defaultdict(list)
        self._rows: dict[tuple[Any, ...], Record] = {}

    def write(self, write: Write) -> tuple[int, int, int, bool]:
        """Take a write in; return inserted, updated and unchanged rows, and whether anything was new."""
        rows, claims = write
        inserted = updated = 0
        for row in rows:
            stored = self._rows.get(self._key(row))
            inserted += stored is None
            updated += stored is not None and stored != row
            self._rows[self._key(row)] = row
        is_news = bool(inserted or updated)
        for owner, span in claims:
            is_news |= bool(subtract(span, self.claimed[owner]))
            self.claimed[owner].append(span)
        return inserted, updated, len(rows) - inserted - updated, is_news

    def read(self, query: RecordQuery) -> list[Record]:
        """The rows of a query, in its order."""
        found = sorted(self._find(query), key=self._key)
        found.sort(key=lambda row: row[self.table.time], reverse=query.newest_first)
        return found[query.offset :][: query.limit]

    def count(self, query: RecordQuery) -> int:
        """How many rows a query has without its page."""
        return len(self._find(query))

    def _find(self, query: RecordQuery) -> list[Record]:
        found = [row for row in self._rows.values() if _is_asked(row, query)]
        if query.span is not None:
            found = [row for row in found if row[self.table.time] in query.span]
        if query.latest_by:
            groups: defaultdict[str, list[Record]] = defaultdict(list)
            for row in found:
                groups[repr([row[name] for name in query.latest_by])].append(row)
            found = [
                max(group, key=lambda row: (row[self.table.time], self._key(row)))
                for group in groups.values()
            ]
        return found

    def _key(self, row: Record) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.table.key)


def some_values(table: RecordTable) -> st.SearchStrategy[list[Record]]:
    """A few choices of what stands beside the key."""
    fields = [field for field in table.schema if field.name not in table.key]
    columns = {
        field.name: _VALUES[field.type] | st.none() if field.nullable else _VALUES[field.type]
        for field in fields
    }
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=4)


def some_records(table: RecordTable, values: list[Record]) -> st.SearchStrategy[list[Record]]:
    """Rows of distinct keys out of few, each with one of ``values``, so that writes meet."""
    keys = st.fixed_dictionaries({name: _KEYS[table.schema.field(name).type] for name in table.key})
    return st.lists(
        st.builds(lambda key, value: key | value, keys, st.sampled_from(values)),
        max_size=8,
        unique_by=lambda row: tuple(row[name] for name in table.key),
    )


def some_queries(table: RecordTable) -> st.SearchStrategy[RecordQuery]:
    """Questions that fit the table."""
    texts = [field.name for field in table.schema if field.type == pa.string()]
    groups = [name for name in texts if name not in table.key] + list(table.key)
    parts = st.dictionaries(st.sampled_from(texts), _few_texts, max_size=1)
    spans = st.builds(
        lambda start_ms, width_ms: Span(start_ms, start_ms + width_ms),
        _few_times | _times,
        st.integers(1, 4) | st.integers(1, 10**14),
    )
    return st.builds(
        RecordQuery,
        where=st.dictionaries(st.sampled_from(texts), st.lists(_texts | _few_texts, max_size=3), max_size=2),
        starts_with=parts,
        ends_with=parts,
        span=st.none() | spans,
        latest_by=st.lists(st.sampled_from(groups), max_size=2, unique=True),
        newest_first=st.booleans(),
        offset=st.integers(0, 3),
        limit=st.none() | st.integers(0, 6),
    )


def some_writes(table: RecordTable, values: list[Record]) -> st.SearchStrategy[Write]:
    """Writes of such records and claims about two owners."""
    start = st.integers(0, 50)
    spans = st.builds(lambda at, width: claim(at, at + width).span, start, st.integers(1, 9))
    claims = st.lists(st.tuples(st.sampled_from(["a", "b"]), spans), max_size=2)
    return st.tuples(some_records(table, values), claims)


def write_both(records: RecordStore, model: RecordModel, writes: list[Write], newest: int) -> int:
    """Make the writes, all at once, and assert that both did the same; return the newest revision.

    ``newest`` is the newest revision before.
    """
    table = model.table
    futures = []
    for rows, spans in writes:
        told = [OwnerClaims(owner, [Coverage(span, "rest", T0)]) for owner, span in spans]
        futures.append(records.upsert_records(table, rows_of(table, *rows), told))
    found = [future.result() for future in futures]
    expected = [model.write(write) for write in writes]
    assert [(one.inserted, one.updated, one.unchanged) for one in found] == [one[:3] for one in expected]
    changed = [one.revision for one, (*_, is_news) in zip(found, expected, strict=True) if is_news]
    assert sorted(changed) == list(range(newest + 1, newest + 1 + len(changed)))
    return newest + len(changed)


def _is_asked(row: Record, query: RecordQuery) -> bool:
    return (
        all(row[name] in values for name, values in query.where.items())
        and all(row[name] is not None and row[name].startswith(s) for name, s in query.starts_with.items())
        and all(row[name] is not None and row[name].endswith(s) for name, s in query.ends_with.items())
    )

"""The contents of a store in pages, each read by itself, so that neither side ever holds much of it.

What is written between two pages may be missed or told twice. Whoever reads all of them applies the changes
since the first one afterwards, and is right again.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Self

import orjson
import pyarrow as pa

from markethub.domain.errors import InputError
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims, RecordQuery
from markethub.ports.replication import RecordPatch, SeriesPatch, SnapshotPage
from markethub.ports.store import EVER, SeriesSummary
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import open_times_ms
from markethub.tables.records import RecordTable, times_ms
from markethub.tables.selected import select_rows, takes_claim, takes_table


@dataclass(frozen=True, slots=True)
class Part:
    """Rows from the start of a span; those from ``rest_ms`` on are still to come, None if these were all."""

    rows: pa.Table
    rest_ms: int | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: at a time of a series, or of a table of records; the very beginning is neither."""

    series: Series | None = None
    table: str | None = None
    from_ms: int = EVER.start_ms

    def to_text(self) -> str:
        series = None if self.series is None else str(self.series)
        return orjson.dumps([series, self.table, self.from_ms]).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        try:
            series, table, from_ms = orjson.loads(text)
            place = cls(None if series is None else Series.parse(series), table, from_ms)
        except (ValueError, TypeError, AttributeError, InputError) as error:
            raise InputError(f"cursor {text[:60]!r} is not one of a snapshot") from error
        is_one = (place.series is None) != (table is None) and table in (None, *RECORD_TABLES)
        if not is_one or type(from_ms) is not int or not EVER.start_ms <= from_ms < EVER.end_ms:
            raise InputError(f"cursor {text[:60]!r} is not one of a snapshot")
        return place


def read_bar_part(store: DataStore, series: Series, span: Span, most_rows: int) -> Part:
    """The first ``most_rows`` bars of ``span``."""
    bars = store.read(series, span, limit=most_rows)
    if len(bars) < most_rows:
        return Part(bars, None)
    rest_ms = int(open_times_ms(bars)[-1].as_py()) + series.interval.width_ms
    return Part(bars, rest_ms if rest_ms < span.end_ms else None)


def read_row_part(
    store: DataStore, table: RecordTable, span: Span, most_rows: int, selection: Selection
) -> Part:
    """The first rows of ``span`` by time, as many as weigh ``most_rows``, as far as ``selection`` takes them.

    All rows of one time come together, however many.
    """
    most = max(most_rows // table.row_weight, 1)
    rows = store.records.read_records(table, RecordQuery(span=span, limit=most + 1))
    rest_ms = None
    if len(rows) > most:
        times = times_ms(rows, table.time).to_pylist()
        rest_ms = int(times[-1])
        rows = rows.slice(0, bisect_left(times, rest_ms))
        if not len(rows):
            rows = store.records.read_records(table, RecordQuery(span=Span(rest_ms, rest_ms + 1)))
            rest_ms = rest_ms + 1 if rest_ms + 1 < span.end_ms else None
    return Part(select_rows(selection, table, rows), rest_ms)


def read_snapshot_page(
    store: DataStore, cursor: str | None, most_rows: int, selection: Selection
) -> SnapshotPage:
    """As ``ReplicaSource.read_snapshot``: series by width and name, then tables by time.

    Series that fit into the page whole are read all at once.
    """
    page = _Page(store, most_rows, selection)
    rest = page.fill(_Place() if cursor is None else _Place.from_text(cursor))
    return SnapshotPage(page.series, page.records, None if rest is None else rest.to_text())


class _Page:
    """A page while it fills."""

    def __init__(self, store: DataStore, most_rows: int, selection: Selection) -> None:
        self._store = store
        self._selection = selection
        self._left = max(most_rows, 1)
        self.series: list[SeriesPatch] = []
        self.records: list[RecordPatch] = []

    def fill(self, begin: _Place) -> _Place | None:
        """Return where the next page begins; None if there is none."""
        if begin.table is None:
            rest = self._add_series(begin)
            if rest is not None:
                return rest
            begin = _Place()
        return self._add_tables(begin)

    def _add_series(self, begin: _Place) -> _Place | None:
        whole: list[Series] = []
        rest = None
        for one in self._list_series(begin):
            from_ms = begin.from_ms if one.series == begin.series else EVER.start_ms
            if self._left <= 0:
                rest = _Place(one.series, from_ms=from_ms)
                break
            if one.rows <= self._left and from_ms == EVER.start_ms:
                whole.append(one.series)
                self._left -= one.rows
                continue
            rest_ms = self._add_part(one.series, from_ms)
            if rest_ms is not None:
                rest = _Place(one.series, from_ms=rest_ms)
                break
        if whole:
            self.series += self._store.replica.read_whole(whole)
        return rest

    def _list_series(self, begin: _Place) -> list[SeriesSummary]:
        found = [one for one in self._store.summaries() if self._selection.takes_series(one.series)]
        found.sort(key=_order)
        if begin.series is None:
            return found
        width_ms, series = begin.series.interval.width_ms, begin.series
        return found[bisect_left(found, (width_ms, series), key=_order) :]

    def _add_part(self, series: Series, from_ms: int) -> int | None:
        part = read_bar_part(self._store, series, Span(from_ms, EVER.end_ms), self._left)
        self._left -= len(part.rows)
        claims = self._store.covered(series, EVER) if part.rest_ms is None else ()
        self.series.append(SeriesPatch(series, part.rows, claims))
        return part.rest_ms

    def _add_tables(self, begin: _Place) -> _Place | None:
        names = list(RECORD_TABLES)
        for name in names[0 if begin.table is None else names.index(begin.table) :]:
            table = RECORD_TABLES[name]
            from_ms = begin.from_ms if name == begin.table else EVER.start_ms
            if not takes_table(self._selection, table):
                continue
            if self._left <= 0:
                return _Place(table=name, from_ms=from_ms)
            rest_ms = self._add_rows(table, from_ms)
            if rest_ms is not None:
                return _Place(table=name, from_ms=rest_ms)
        return None

    def _add_rows(self, table: RecordTable, from_ms: int) -> int | None:
        span = Span(from_ms, EVER.end_ms)
        part = read_row_part(self._store, table, span, self._left, self._selection)
        self._left -= len(part.rows) * table.row_weight
        claims: list[OwnerClaims] = []
        if part.rest_ms is None:
            told = self._store.replica.read_record_claims(table)
            claims = [one for one in told if takes_claim(self._selection, table, one.owner)]
        patch = RecordPatch(table, part.rows, table.empty().select(list(table.key)), claims)
        if not patch.is_empty:
            self.records.append(patch)
        return part.rest_ms


def _order(summary: SeriesSummary) -> tuple[int, Series]:
    # Series of one width lie in one table.
    return summary.series.interval.width_ms, summary.series

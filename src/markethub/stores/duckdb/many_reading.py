"""Bars of many series in the order in which they were asked for, some series with one query."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.store import EVER
from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.schema import bars_table, name_columns
from markethub.tables.klines import KLINES, PLACE, open_times_ms, place_bars

GROUP_ROWS = 262_144
"""What one query brings at most: large enough not to matter, small enough for many readers side by side."""

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A series that was asked for and has bars between its first and its last that may lie in ``span``."""

    place: int
    id: int
    interval: Interval
    span: Span
    most_rows: int
    is_whole: bool
    """Whether ``span`` takes in everything that is stored, so that ``most_rows`` is exact."""

    def split(self) -> Iterator["Wanted"]:
        """The same in spans one after the other, each with at most GROUP_ROWS bars."""
        width_ms = GROUP_ROWS * self.interval.width_ms
        if self.most_rows <= GROUP_ROWS:
            yield self
            return
        for start_ms in range(self.span.start_ms, self.span.end_ms, width_ms):
            part = Span(start_ms, min(start_ms + width_ms, self.span.end_ms))
            yield replace(self, span=part, most_rows=GROUP_ROWS, is_whole=False)


@dataclass(frozen=True, slots=True)
class Group:
    """What one query reads: series of one interval, and the hull of their spans, in which none of them has
    other bars that were asked for."""

    members: Sequence[Wanted]

    @property
    def interval(self) -> Interval:
        return self.members[0].interval

    @property
    def span(self) -> Span:
        starts = [one.span.start_ms for one in self.members]
        return Span(min(starts), max(one.span.end_ms for one in self.members))

    @property
    def most_rows(self) -> int:
        return sum(one.most_rows for one in self.members)


def find_wanted(
    connection: duckdb.DuckDBPyConnection, series: Sequence[Series], span: Span | None
) -> list[Wanted]:
    """The series that may have bars in ``span``, in the order given; read inside the answer's transaction."""
    asked = pa.table(
        {
            "place": pa.array(range(len(series)), pa.int32()),
            "symbol": pa.array([str(one.symbol) for one in series], pa.string()),
            "interval": pa.array([one.interval.value for one in series], pa.string()),
        }
    )
    with incoming(connection, asked):
        rows = connection.sql(
            "SELECT i.place, s.id, s.rows, s.first_ms, s.last_ms FROM incoming i "
            "JOIN series s ON s.symbol = i.symbol AND s.interval = i.interval "
            "WHERE s.rows > 0 ORDER BY i.place"
        ).fetchall()
    wanted = []
    for place, series_id, stored_rows, first_ms, last_ms in rows:
        interval = series[place].interval
        stored = Span(first_ms, last_ms + interval.width_ms)
        inside = stored.intersect(span or EVER)
        if inside is not None:
            most_rows = min(stored_rows, -(-inside.width_ms // interval.width_ms))
            wanted.append(Wanted(place, series_id, interval, inside, most_rows, inside == stored))
    return wanted


def count_wanted(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Wanted]) -> int:
    """How many bars lie in the spans; those of whole series are known without a look."""
    total = 0
    cut: defaultdict[Interval, list[Wanted]] = defaultdict(list)
    for one in wanted:
        if one.is_whole:
            total += one.most_rows
        else:
            cut[one.interval].append(one)
    for members in cut.values():
        with _rows_of(connection, Group(members), ()) as rows:
            ((count,),) = rows.count("*").fetchall()
        total += count
    return total


def group_wanted(wanted: Sequence[Wanted]) -> Iterator[Group]:
    """The same in the same order, as few groups as their size allows."""
    members: list[Wanted] = []
    rows = 0
    for one in wanted:
        parts = list(one.split())
        is_full = rows + parts[0].most_rows > GROUP_ROWS
        if members and (is_full or one.interval is not members[0].interval):
            yield Group(members)
            members, rows = [], 0
        if len(parts) > 1:
            # A part alone: the hull with another series would take in its neighbours.
            yield from (Group([part]) for part in parts)
        else:
            members.append(one)
            rows += one.most_rows
    if members:
        yield Group(members)


def read_group(
    connection: duckdb.DuckDBPyConnection, group: Group, columns: Sequence[str]
) -> pa.RecordBatch | None:
    """Its bars by place and time, as ``SeriesStore.read_many`` gives them; None if there are none."""
    names = tuple(columns) if "open_time" in columns else ("open_time", *columns)
    with _rows_of(connection, group, names) as relation:
        found = relation.to_arrow_table()
    if not len(found):
        return None
    rows = _in_order(found)
    bars = rows.select(list(columns)).cast(pa.schema([KLINES.field(name) for name in columns]))
    return place_bars(bars, rows.column(PLACE.name).combine_chunks())


@contextmanager
def _rows_of(
    connection: duckdb.DuckDBPyConnection, group: Group, columns: tuple[str, ...]
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The place and ``columns`` of a group's bars, in no order; to be read inside the block."""
    ids = [one.id for one in group.members]
    places = [one.place for one in group.members]
    # Zone maps prune by these bounds, not by the join, which one series alone is better without.
    where = f"t.series BETWEEN ? AND ? AND t.open_time >= {TIME} AND t.open_time < {TIME}"
    values = [min(ids), max(ids), group.span.start_ms, group.span.end_ms]
    source = "{} t JOIN incoming i ON t.series = i.series"
    place = "i.place"
    if len(ids) == 1:
        source, place = "{} t", f"{places[0]}::INTEGER AS place"
    tables = [bars_table(group.interval, is_hot=is_hot) for is_hot in (False, True)]
    chosen = f"{place}, {name_columns(columns)}" if columns else place
    query = " UNION ALL ".join(
        f"SELECT {chosen} FROM {source.format(table)} WHERE {where}" for table in tables
    )
    joined = pa.table({"series": pa.array(ids, pa.int32()), PLACE.name: pa.array(places, PLACE.type)})
    with incoming(connection, joined) if len(ids) > 1 else nullcontext():
        yield connection.sql(query, params=values * len(tables))


def _in_order(rows: pa.Table) -> pa.Table:
    places = rows.column(PLACE.name).to_numpy()
    times = open_times_ms(rows).to_numpy()
    if _ascends(places, times):
        return rows
    # Mostly each series lies in order, and only the series do not lie as they were asked for.
    order = np.argsort(places, kind="stable")
    if not _ascends(places[order], times[order]):
        order = np.lexsort((times, places))
    return rows.take(pa.array(order))


def _ascends(places: _Integers, times: _Integers) -> bool:
    is_later = times[1:] > times[:-1]
    steps = np.diff(places)
    return bool(((steps > 0) | ((steps == 0) & is_later)).all())

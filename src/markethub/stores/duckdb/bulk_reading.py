"""Bars and claims of many series at once."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.ports.replication import SeriesPatch
from markethub.ports.store import Coverage
from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.schema import bars_table, name_columns
from markethub.stores.duckdb.state import SeriesState
from markethub.tables.klines import KLINES, empty_klines, open_times_ms


@dataclass(frozen=True, slots=True)
class Window:
    """Revisions ``after < revision <= upto``."""

    after: int
    upto: int

    @property
    def bounds(self) -> list[int]:
        return [self.after, self.upto]


ALL_REVISIONS = Window(0, 2**63 - 1)


def read_bars_of(
    connection: duckdb.DuckDBPyConnection,
    interval: Interval,
    ids: Sequence[int],
    extent: Span,
    window: Window = ALL_REVISIONS,
) -> Iterator[tuple[int, pa.Table]]:
    """The bars inside ``extent`` that ``window`` wrote of these series of one interval.

    By series id, ascending, without those that have none; ``ids`` is not empty.
    """
    columns = name_columns(tuple(KLINES.names))
    # Zone maps prune by these bounds, not by the join.
    where = f"t.series BETWEEN ? AND ? AND t.open_time >= {TIME} AND t.open_time < {TIME}"
    values = [min(ids), max(ids), extent.start_ms, extent.end_ms]
    if window != ALL_REVISIONS:
        where += " AND t.revision > ? AND t.revision <= ?"
        values += window.bounds
    join = "JOIN incoming i ON t.series = i.series" if len(ids) < max(ids) - min(ids) + 1 else ""
    tables = [bars_table(interval, is_hot=is_hot) for is_hot in (False, True)]
    query = " UNION ALL ".join(
        f"SELECT t.series, {columns} FROM {table} t {join} WHERE {where}" for table in tables
    )
    with incoming(connection, pa.table({"series": pa.array(sorted(ids), pa.int32())})):
        rows = connection.sql(query, params=values * len(tables)).to_arrow_table()
    if not len(rows):
        return
    rows = _in_order(rows)
    found = rows.column("series").to_numpy()
    bars = rows.drop_columns(["series"]).cast(KLINES)
    starts = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), len(found)]
    for start, end in pairwise(starts):
        yield int(found[start]), bars.slice(start, end - start)


def read_whole_series(
    connection: duckdb.DuckDBPyConnection, states: Sequence[SeriesState]
) -> list[SeriesPatch]:
    """All bars and claims of these series, in their order, inside an open transaction."""
    by_interval: defaultdict[Interval, list[SeriesState]] = defaultdict(list)
    for state in states:
        if state.first_ms is not None:
            by_interval[state.series.interval].append(state)
    bars: dict[int, pa.Table] = {}
    for interval, some in by_interval.items():
        first_ms = min(state.first_ms for state in some if state.first_ms is not None)
        last_ms = max(state.last_ms for state in some if state.last_ms is not None)
        bars.update(read_bars_of(connection, interval, [one.id for one in some], Span(first_ms, last_ms + 1)))
    claims = _read_claims_of(connection, [state.id for state in states])
    return [
        SeriesPatch(one.series, bars.get(one.id, empty_klines()), claims.get(one.id, ())) for one in states
    ]


def _read_claims_of(connection: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> dict[int, list[Coverage]]:
    claims: defaultdict[int, list[Coverage]] = defaultdict(list)
    with incoming(connection, pa.table({"series": pa.array(ids, pa.int32())})):
        rows = connection.sql(
            "SELECT c.series, c.start_ms, c.end_ms, c.source, c.checked_ms "
            "FROM coverage c JOIN incoming i ON c.series = i.series ORDER BY ALL"
        ).fetchall()
    for series_id, start_ms, end_ms, source, checked_ms in rows:
        claims[series_id].append(Coverage(Span(start_ms, end_ms), source, checked_ms))
    return claims


def _in_order(rows: pa.Table) -> pa.Table:
    """The rows by series and time; mostly they lie so, and a look is far cheaper than a sort."""
    ids = rows.column("series").to_numpy()
    times = open_times_ms(rows).to_numpy()
    same = ids[1:] == ids[:-1]
    if ((ids[1:] > ids[:-1]) | (same & (times[1:] > times[:-1]))).all():
        return rows
    return rows.take(pa.array(np.lexsort((times, ids))))

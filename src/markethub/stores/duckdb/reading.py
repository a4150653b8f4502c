"""Questions about one series, each answered from one snapshot on one cursor."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.store import EVER
from markethub.stores.admission import FIRST_MS, LAST_MS
from markethub.stores.duckdb.frames import TIME, transaction
from markethub.stores.duckdb.schema import bars_table, name_columns
from markethub.tables.klines import KLINES, open_times_ms


def read_bars(
    connection: duckdb.DuckDBPyConnection,
    series: Series,
    series_id: int,
    span: Span | None,
    columns: Sequence[str],
    *,
    is_cold_only: bool = False,
) -> pa.Table:
    """Bars ascending, as the named columns of KLINES; ``is_cold_only`` if none of the span can be hot.

    Never asks for ORDER BY: rows nearly always lie in order, and a look is thirty times cheaper than a sort.
    """
    names = tuple(columns) if "open_time" in columns else ("open_time", *columns)
    where = "series = ?"
    parameters: list[int] = [series_id]
    if span is not None:
        where += f" AND open_time >= {TIME} AND open_time < {TIME}"
        # Beyond these nothing is stored, and DuckDB's conversion to a timestamp ends there too.
        parameters += [_clamp(span.start_ms), _clamp(span.end_ms)]
    tables = [bars_table(series.interval, is_hot=False)]
    if not is_cold_only:
        tables.append(bars_table(series.interval, is_hot=True))
    query = " UNION ALL ".join(f"SELECT {name_columns(names)} FROM {table} WHERE {where}" for table in tables)
    found = connection.sql(query, params=parameters * len(tables)).to_arrow_table()
    return _in_order(found).select(list(columns)).cast(pa.schema([KLINES.field(name) for name in columns]))


def read_limited(
    connection: duckdb.DuckDBPyConnection,
    series: Series,
    series_id: int,
    span: Span | None,
    columns: Sequence[str],
    *,
    limit: int,
    newest: bool,
) -> pa.Table:
    """The first ``limit`` bars of ``span``, or the last ones, ascending.

    ``limit`` grid points hold at most ``limit`` bars, so a window of that width from the end of interest is
    the whole answer where there are no holes; over holes further windows follow, each twice as wide.
    """
    parts: list[pa.Table] = []
    with transaction(connection):
        rest = _stored_extent(connection, series, series_id, span or EVER)
        width_ms = max(limit, 1) * series.interval.width_ms
        while rest is not None and sum(map(len, parts)) < limit:
            window, rest = _cut_window(rest, width_ms, from_end=newest)
            parts.append(read_bars(connection, series, series_id, window, columns))
            width_ms *= 2
    if not parts:
        return pa.schema([KLINES.field(name) for name in columns]).empty_table()
    bars = pa.concat_tables(reversed(parts) if newest else parts)
    return bars.slice(max(len(bars) - limit, 0)) if newest else bars.slice(0, limit)


def count_bars(connection: duckdb.DuckDBPyConnection, series: Series, series_id: int, span: Span) -> int:
    """How many bars ``span`` holds; reads no value column."""
    tables = [bars_table(series.interval, is_hot=is_hot) for is_hot in (False, True)]
    query = " UNION ALL ".join(
        f"SELECT count(*) FROM {table} WHERE series = ? AND open_time >= {TIME} AND open_time < {TIME}"
        for table in tables
    )
    parameters = [series_id, _clamp(span.start_ms), _clamp(span.end_ms)] * len(tables)
    return sum(count for (count,) in connection.sql(query, params=parameters).fetchall())


def _stored_extent(
    connection: duckdb.DuckDBPyConnection, series: Series, series_id: int, span: Span
) -> Span | None:
    rows = connection.sql(
        "SELECT first_ms, last_ms FROM series WHERE id = ? AND rows > 0", params=[series_id]
    ).fetchall()
    if not rows:
        return None
    first_ms, last_ms = rows[0]
    return span.intersect(Span(first_ms, last_ms + series.interval.width_ms))


def _cut_window(span: Span, width_ms: int, *, from_end: bool) -> tuple[Span, Span | None]:
    if span.width_ms <= width_ms:
        return span, None
    if from_end:
        cut_ms = span.end_ms - width_ms
        return Span(cut_ms, span.end_ms), Span(span.start_ms, cut_ms)
    cut_ms = span.start_ms + width_ms
    return Span(span.start_ms, cut_ms), Span(cut_ms, span.end_ms)


def _in_order(bars: pa.Table) -> pa.Table:
    times = open_times_ms(bars).to_numpy()
    if (times[1:] > times[:-1]).all():
        return bars
    return bars.take(pc.sort_indices(pa.array(times)))


def _clamp(time_ms: int) -> int:
    return min(max(time_ms, FIRST_MS), LAST_MS)

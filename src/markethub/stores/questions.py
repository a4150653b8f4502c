"""What a store may be asked: the checks that every store's readers share."""

from collections.abc import Sequence

import pyarrow as pa

from markethub.domain.errors import InputError, StoreError
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series
from markethub.ports.records import RecordQuery
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import KLINES
from markethub.tables.records import RecordTable


def check_columns(columns: Sequence[str] | None) -> list[str]:
    """The columns to answer with, None meaning all; InputError unless each is known and named once."""
    if columns is None:
        return list(KLINES.names)
    unknown = [name for name in columns if name not in KLINES.names]
    if unknown or not columns or len(set(columns)) < len(columns):
        named = ", ".join(columns) or "none"
        raise InputError(f"columns {named[:200]!r} are not some of {', '.join(KLINES.names)}, each once")
    return list(columns)


def check_distinct(series: Sequence[Series]) -> None:
    """InputError that names one if a series comes twice."""
    seen: set[Series] = set()
    for one in series:
        if one in seen:
            raise InputError(f"series {one} is named twice")
        seen.add(one)


def check_limit(limit: int | None) -> None:
    """InputError if ``limit`` is negative; None and 0 pass."""
    if limit is not None and limit < 0:
        raise InputError(f"limit {limit} is negative")


def align(series: Series, span: Span) -> Span | None:
    """The span from the first to behind the last grid point in ``span``; None if it holds no grid point."""
    return span_or_none(series.interval.ceil(span.start_ms), series.interval.ceil(span.end_ms))


def check_table(table: RecordTable) -> None:
    """StoreError unless it is a table of the catalog: no store has others."""
    if RECORD_TABLES.get(table.name) != table:
        raise StoreError(f"the store has no such table as {table.name[:60]!r}")


def check_query(table: RecordTable, query: RecordQuery) -> None:
    """StoreError unless its columns are the table's, those compared with text are text, and table is known.

    InputError if ``limit`` or ``offset`` is negative.
    """
    check_table(table)
    texts = (*query.where, *query.starts_with, *query.ends_with)
    for name in (*texts, *query.latest_by):
        if name not in table.schema.names:
            raise StoreError(f"{table.name} has no column {name[:60]!r}")
    for name in texts:
        if table.schema.field(name).type != pa.string():
            raise StoreError(f"{table.name}: {name} is {table.schema.field(name).type}, not text")
    check_limit(query.limit)
    if query.offset < 0:
        raise InputError(f"offset {query.offset} is negative")

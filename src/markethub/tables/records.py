"""Tables of records: rows that a key identifies, such as orders, balances or tickers."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError

TIME = pa.timestamp("ms", tz="UTC")

AMOUNT = pa.decimal128(38, 18)
"""Exact amounts of the ledger and exact steps of instruments: 20 digits before the point, 18 after.

An amount that needs more is refused, never rounded.
"""


@dataclass(frozen=True, slots=True)
class RecordTable:
    """What a store must know of one table.

    ``key`` names the columns that identify a row; they are never null. ``time`` is the column that spans
    select by. ``owner`` is the column whose values claims of coverage are about: ``symbol`` or ``account``.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    time: str
    owner: str

    def empty(self) -> pa.Table:
        return self.schema.empty_table()

    @property
    def row_weight(self) -> int:
        """About how many bars a row is as heavy as, generously: a list may hold a hundred numbers."""
        return 1 + 100 * len([field for field in self.schema if pa.types.is_list(field.type)])


def times_ms(rows: pa.Table, column: str) -> pa.ChunkedArray:
    """A time column as int64 Unix milliseconds, without a copy; null where the time is."""
    return rows.column(column).cast(pa.int64())


def check_records(rows: pa.Table, table: RecordTable, source: str) -> pa.Table:
    """Return ``rows`` if they have the table's schema, no null where none may be, and no key twice.

    VenueProtocolError, starting with ``source``, otherwise. Empty tables pass; the order is not looked at.
    """
    if not rows.schema.equals(table.schema):
        raise VenueProtocolError(f"{source}: columns {rows.schema.names} are not those of {table.name}")
    for field in table.schema:
        if not field.nullable and rows.column(field.name).null_count:
            raise VenueProtocolError(f"{source}: a row of {table.name} has no {field.name}")
    keys = rows.select(list(table.key))
    if len(keys) > 1:
        groups = keys.group_by(list(table.key)).aggregate([([], "count_all")])
        if len(groups) < len(keys):
            twice = groups.filter(pc.greater(groups.column("count_all"), 1)).slice(0, 1).to_pylist()[0]
            del twice["count_all"]
            raise VenueProtocolError(f"{source}: {table.name} has {twice} more than once")
    return rows

"""Made-up records to test a ``RecordStore`` with, and tables that it must refuse."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from markethub.domain.span import Span
from markethub.ports.records import OwnerClaims, RecordStore
from markethub.ports.store import Coverage
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import AMOUNT, TIME, RecordTable
from markethub.tables.tickers import TICKERS

T0 = 1_609_459_200_000
"""2021-01-01T00:00:00Z, where the made-up records begin."""
DAY_MS = 86_400_000
ALWAYS = Span(T0 - 10**12, T0 + 10**12)

ONE_OF: dict[pa.DataType, Any] = {
    pa.string(): "text",
    TIME: T0,
    AMOUNT: Decimal("1.5"),
    pa.float64(): 0.5,
    pa.int64(): 7,
    pa.int32(): 7,
    pa.list_(pa.float64()): [3.0, 2.5],
}
ANOTHER: dict[pa.DataType, Any] = {
    pa.string(): "Text",
    TIME: T0 + 1,
    AMOUNT: Decimal("1.500000000000000001"),
    pa.float64(): 0.5000000000000001,
    pa.int64(): 8,
    pa.int32(): 8,
    pa.list_(pa.float64()): [3.0, 2.5, 2.0],
}


def rows_of(table: RecordTable, *records: Mapping[str, Any]) -> pa.Table:
    """Rows of ``table`` with times as Unix milliseconds; made-up values where a record names none."""
    return pa.table(
        {
            field.name: pa.array(
                [record.get(field.name, ONE_OF[field.type]) for record in records], field.type
            )
            for field in table.schema
        },
        schema=table.schema,
    )


def fills_at(*times: int, account: str = "OKX_MM01", **columns: object) -> pa.Table:
    """One fill a number: ``number`` minutes after T0, with the id ``f<number>``."""
    return rows_of(
        FILLS,
        *(
            {"account": account, "fill_id": f"f{time}", "time": T0 + time * 60_000, **columns}
            for time in times
        ),
    )


def claim(start: int, end: int, source: str = "rest", checked_ms: int = T0) -> Coverage:
    """From minute ``start`` to minute ``end`` after T0."""
    return Coverage(Span(T0 + start * 60_000, T0 + end * 60_000), source, checked_ms)


def claims_of(owner: str, *claims: Coverage) -> list[OwnerClaims]:
    """Claims about one owner."""
    return [OwnerClaims(owner, claims)]


def ids_of(rows: pa.Table) -> list[str]:
    """The fills' ids."""
    ids: list[str] = rows.column("fill_id").to_pylist()
    return ids


def observe_records(records: RecordStore) -> dict[str, Any]:
    """Every row, in a form that can be compared."""
    return {name: records.read_records(table).to_pylist() for name, table in RECORD_TABLES.items()}


def _edit(rows: pa.Table, name: str, values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    place = rows.schema.get_field_index(name)
    field = rows.schema.field(name)
    return rows.set_column(place, field.with_type(kind or field.type), pa.array(values, kind or field.type))


_BOOK = rows_of(ORDERBOOKS, {})
_TICKER = rows_of(TICKERS, {})
BAD_ROWS: dict[str, tuple[RecordTable, pa.Table]] = {
    "a column is missing": (FILLS, fills_at(1).drop_columns(["fee"])),
    "rows of another table": (FILLS, _TICKER),
    "amounts as numbers": (FILLS, _edit(fills_at(1), "price", [1.5], pa.float64())),
    "fewer digits": (FILLS, _edit(fills_at(1), "price", [Decimal("1.5")], pa.decimal128(38, 8))),
    "a null in the key": (FILLS, fills_at(1, fill_id=None)),
    "a null where none may be": (FILLS, fills_at(1, price=None)),
    "a key twice": (FILLS, fills_at(1, 2, 3, fill_id="same")),
    "beyond the year 9999": (FILLS, fills_at(1, recorded_time=253_402_300_800_000)),
    "before the year 1": (FILLS, fills_at(1, recorded_time=-62_135_596_800_001)),
    "not a number": (TICKERS, rows_of(TICKERS, {"bid": float("nan")})),
    "an infinite number": (TICKERS, rows_of(TICKERS, {}, {"symbol": "b", "bid": float("-inf")})),
    "an infinite number in a list": (ORDERBOOKS, rows_of(ORDERBOOKS, {"bid_sizes": [1.0, float("inf")]})),
    "a null in a list": (ORDERBOOKS, rows_of(ORDERBOOKS, {"ask_prices": [1.0, None]})),
    "a table of no catalog": (RecordTable("more", FILLS.schema, FILLS.key, "time", "account"), fills_at(1)),
    "a table that is not what the catalog says": (
        RecordTable("fills", FILLS.schema, ("fill_id",), "time", "account"),
        fills_at(1),
    ),
}

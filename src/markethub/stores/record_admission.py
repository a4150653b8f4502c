"""What a store of records lets in: the check of a write before anything of it is queued."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import StoreError, VenueProtocolError
from markethub.ports.records import OwnerClaims
from markethub.stores.admission import FIRST_MS, LAST_MS, admit_claims
from markethub.stores.questions import check_table
from markethub.tables.records import RecordTable, check_records


def admit_records(table: RecordTable, rows: pa.Table) -> pa.Table:
    """Return ``rows`` if they keep what readers are promised; StoreError otherwise.

    Asked for: a table of the catalog, its schema without a null where none may be, keys unique, times in the
    years 1 to 9999, and finite numbers, in lists too. Whether they make sense is the venue's check.
    """
    check_table(table)
    try:
        check_records(rows, table, "refused")
    except VenueProtocolError as error:
        raise StoreError(str(error)) from error
    for field in table.schema:
        _check_values(table.name, field, rows.column(field.name))
    return rows


def admit_owner_claims(table: RecordTable, covered: Sequence[OwnerClaims]) -> tuple[OwnerClaims, ...]:
    """Return the claims; StoreError if one names no owner or source, or leaves the years 1 to 9999."""
    for told in covered:
        if not told.owner:
            raise StoreError(f"{table.name}: a claim names no owner")
    return tuple(
        OwnerClaims(told.owner, admit_claims(f"{table.name} of {told.owner}", told.claims))
        for told in covered
    )


def _check_values(table: str, field: pa.Field, column: pa.ChunkedArray) -> None:
    if pa.types.is_timestamp(field.type):
        range_ms = pc.min_max(column.cast(pa.int64())).as_py()
        # both are None where the column has no value
        first_ms, last_ms = range_ms["min"], range_ms["max"]
        if first_ms is not None and (first_ms < FIRST_MS or last_ms >= LAST_MS):
            raise StoreError(f"{table}: {field.name} leaves the years 1 to 9999")
        return
    numbers = column
    if pa.types.is_list(field.type):
        numbers = pc.list_flatten(column)
        if numbers.null_count:
            raise StoreError(f"{table}: a list of {field.name} lacks a number")
    # min_count: a column without a number has no bad one; pc.all would answer null
    if pa.types.is_floating(numbers.type) and not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise StoreError(f"{table}: {field.name} has a number that is not finite")

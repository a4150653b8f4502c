"""What a store lets in: the check of a write before anything of it is queued."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import StoreError
from markethub.domain.symbol import Series
from markethub.ports.store import Coverage
from markethub.tables.klines import KLINES, open_times_ms

FIRST_MS = -62_135_596_800_000
"""The start of the year 1: nothing earlier can be stored."""
LAST_MS = 253_402_300_800_000
"""The start of the year 10000: nothing at or after it can be stored."""


def admit_bars(series: Series, bars: pa.Table) -> pa.Table:
    """Return ``bars`` with one chunk a column; StoreError if the table breaks what readers are promised.

    Asked for: schema KLINES without a null where none may be, open times on the interval's grid, strictly
    ascending and in the years 1 to 9999, and finite numbers. Whether prices make sense is the venue's check.
    """
    if not bars.schema.equals(KLINES):
        raise StoreError(f"{series}: columns {_describe(bars.schema)} are not {_describe(KLINES)}")
    if not len(bars):
        return bars
    whole = bars.combine_chunks()
    for field in KLINES:
        column = whole.column(field.name)
        if column.null_count and not field.nullable:
            raise StoreError(f"{series}: {field.name} is null in {column.null_count} of {len(bars)} bars")
    _check_times(series, open_times_ms(whole).to_numpy())
    for field in KLINES:
        column = whole.column(field.name)
        if pa.types.is_floating(field.type) and not _is_finite(column):
            raise StoreError(f"{series}: {field.name} has a number that is not finite")
    return whole


def admit_claims(series: Series, claims: Sequence[Coverage]) -> tuple[Coverage, ...]:
    """Return the claims; StoreError if one names no source or leaves the years 1 to 9999."""
    for claim in claims:
        if not claim.source:
            raise StoreError(f"{series}: the claim of {claim.span} names no source")
        if claim.span.start_ms < FIRST_MS or claim.span.end_ms > LAST_MS:
            raise StoreError(f"{series}: the claim of {claim.span} leaves the years 1 to 9999")
    return tuple(claims)


def _check_times(series: Series, times: np.ndarray) -> None:
    if times[0] < FIRST_MS or times[-1] >= LAST_MS:
        raise StoreError(f"{series}: open times leave the years 1 to 9999")
    if np.any(times[1:] <= times[:-1]):
        raise StoreError(f"{series}: open times do not ascend strictly")
    if np.any(times % series.interval.width_ms):
        raise StoreError(f"{series}: an open time is off the {series.interval} grid")


def _is_finite(column: pa.ChunkedArray) -> bool:
    return pc.all(pc.is_finite(column), min_count=0).as_py() is True


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)

"""What a store lets in: the check of a write before anything of it is queued."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.symbol import Series
from markethub.ports.store import EVER, Coverage, SeriesWrite
from markethub.tables.klines import KLINES

FIRST_MS = EVER.start_ms
"""The start of the year 1: nothing earlier can be stored."""
LAST_MS = EVER.end_ms
"""The start of the year 10000: nothing at or after it can be stored."""

_FEW_WRITES = 3


def admit_writes(writes: Sequence[SeriesWrite]) -> list[SeriesWrite]:
    """Return the writes, each as ``admit_bars`` and ``admit_claims`` let it in; StoreError for the first
    that they refuse."""
    joined = _join_sound(writes)
    if joined is None:
        return [
            SeriesWrite(one.series, admit_bars(one.series, one.bars), admit_claims(one.series, one.covered))
            for one in writes
        ]
    admitted = []
    start = 0
    for one in writes:
        bars = joined.slice(start, len(one.bars))
        admitted.append(SeriesWrite(one.series, bars, admit_claims(one.series, one.covered)))
        start += len(one.bars)
    return admitted


def _join_sound(writes: Sequence[SeriesWrite]) -> pa.Table | None:
    """The bars of all writes in one table, one chunk a column, if every single write may be admitted.

    Looking at a thousand series of four bars together takes a tenth of the time that one by one does; who is
    at fault, where it is None, is for the look at each to say.
    """
    tables = [one.bars for one in writes]
    if len(tables) < _FEW_WRITES or not all(table.schema.equals(KLINES) for table in tables):
        return None
    joined = pa.concat_tables(tables).combine_chunks()
    if not len(joined):
        return None
    for field, column in zip(KLINES, joined.columns, strict=True):
        values = column.chunk(0)
        if values.null_count and not field.nullable:
            return None
        if pa.types.is_floating(field.type) and not np.isfinite(values.drop_null().to_numpy()).all():
            return None
    lengths = [len(table) for table in tables]
    times = joined.column(0).chunk(0).view(pa.int64()).to_numpy()
    owners = np.repeat(np.arange(len(tables)), lengths)
    widths = np.repeat(np.array([one.series.interval.width_ms for one in writes]), lengths)
    is_sound = (
        times.min() >= FIRST_MS
        and times.max() < LAST_MS
        and not np.any(times % widths)
        and bool(np.all((np.diff(times) > 0) | (np.diff(owners) > 0)))
    )
    return joined if is_sound else None


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
    for field, column in zip(KLINES, whole.columns, strict=True):
        values = column.chunk(0)
        if values.null_count:
            if not field.nullable:
                raise StoreError(f"{series}: {field.name} is null in {values.null_count} of {len(bars)} bars")
            values = values.drop_null()
        if pa.types.is_timestamp(field.type):
            _check_times(series, values.view(pa.int64()).to_numpy())
        elif pa.types.is_floating(field.type) and not np.isfinite(values.to_numpy()).all():
            raise StoreError(f"{series}: {field.name} has a number that is not finite")
    return whole


def admit_claims(subject: object, claims: Sequence[Coverage]) -> tuple[Coverage, ...]:
    """Return the claims about a series or owner; StoreError, naming it, if one has no source or leaves the
    years 1 to 9999."""
    for claim in claims:
        if not claim.source:
            raise StoreError(f"{subject}: the claim of {claim.span} names no source")
        if claim.span.start_ms < FIRST_MS or claim.span.end_ms > LAST_MS:
            raise StoreError(f"{subject}: the claim of {claim.span} leaves the years 1 to 9999")
    return tuple(claims)


def _check_times(series: Series, times: npt.NDArray[np.int64]) -> None:
    if times[0] < FIRST_MS or times[-1] >= LAST_MS:
        raise StoreError(f"{series}: open times leave the years 1 to 9999")
    if np.any(times[1:] <= times[:-1]):
        raise StoreError(f"{series}: open times do not ascend strictly")
    if np.any(times % series.interval.width_ms):
        raise StoreError(f"{series}: an open time is off the {series.interval} grid")


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)

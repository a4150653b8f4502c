"""Bars that are sound and say nothing."""

from collections.abc import Iterable

import pyarrow as pa

from markethub.tables.klines import KLINES


def flat_bars(open_times_ms: Iterable[int]) -> pa.Table:
    """One bar at 1 for each time, schema KLINES; what may be null is."""
    times = pa.array(list(open_times_ms), pa.int64())
    columns = [
        pa.nulls(len(times), field.type) if field.nullable else pa.array([1.0] * len(times), pa.float64())
        for field in KLINES
        if field.name != "open_time"
    ]
    return pa.Table.from_arrays([times.cast(KLINES.field("open_time").type), *columns], schema=KLINES)

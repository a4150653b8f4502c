"""The real daily bars of American stocks that ship with the sandbox."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from markethub.sandbox.recorded import RECORDINGS_DIR

STOCK_RECORDINGS: Final = RECORDINGS_DIR / "stocks" / "us-daily-2000-2013.parquet"
ADJUSTED_UP_TO: Final = date(2014, 9, 1)
"""The splits until then are in the file's adjusted closes (Apple's of June 2014 is, that of 2020 is not)."""
_EPOCH: Final = date(1970, 1, 1)


class RecordedDays(NamedTuple):
    """Daily bars as they were traded, ascending; ``values`` is open, high, low, close, volume by day."""

    dates: list[date]
    values: NDArray[np.float64]
    adj_close: NDArray[np.float64]


@cache
def recorded_days() -> Mapping[str, RecordedDays]:
    """By ticker. The file holds prices in units of 10^-4, its metadata where they come from."""
    table = pq.read_table(STOCK_RECORDINGS)
    return MappingProxyType(
        {
            ticker: _read(table.filter(pc.equal(table.column("ticker"), ticker)))
            for ticker in pc.unique(table.column("ticker")).to_pylist()
        }
    )


def _read(table: pa.Table) -> RecordedDays:
    prices = [table.column(f"{name}_e4").to_numpy() / 1e4 for name in ("open", "high", "low", "close")]
    days = table.column("date").cast(pa.int32()).to_pylist()
    return RecordedDays(
        [_EPOCH + timedelta(days=day) for day in days],
        np.stack([*prices, table.column("volume").to_numpy().astype(np.float64)]),
        table.column("adj_close").to_numpy(),
    )

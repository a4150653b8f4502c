"""Futu's candlesticks as bars; pure."""

from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series
from markethub.domain.times import to_ms
from markethub.tables.klines import KLINES, SortedBars
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import sort_out_session_bars

KTYPES: Final = MappingProxyType(
    {
        Interval.M1: "K_1M",
        Interval.M5: "K_5M",
        Interval.M15: "K_15M",
        Interval.M30: "K_30M",
        Interval.D1: "K_DAY",
    }
)
"""By interval the name of ``KLType``. Source: futu-api 10.11, ``common/constant.py``."""

_COLUMNS: Final = MappingProxyType(
    {
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "volume": "volume",
        "quote_volume": "turnover",
    }
)


def parse_candlesticks(
    frames: list[Any], series: Series, zone: str, sessions: StockSessions, source: str
) -> SortedBars:
    """Read the pages of one question, in their order.

    ``time_key`` is in the exchange's zone; a day has its date, and a minute bar the time at which it *ends*
    (py-futu-api issue 253: the first minute of New York is 09:31:00). Bars with a close outside low..high
    have been seen there as well; they are set apart. VenueProtocolError, starting with ``source``, for
    anything that is no candlestick.
    """
    rows: dict[str, list[Any]] = {name: [] for name in ("time_key", *_COLUMNS.values())}
    for frame in frames:
        for name, column in rows.items():
            try:
                column += list(frame[name])
            except (KeyError, TypeError) as error:
                raise VenueProtocolError(f"{source}: candlesticks without {name}") from error
    place = ZoneInfo(zone)
    opens = [_open_ms(text, series.interval, place, source) for text in rows["time_key"]]
    columns = {name: pa.array(_to_numbers(rows[theirs]), pa.float64()) for name, theirs in _COLUMNS.items()}
    columns["open_time"] = pa.array(opens, pa.int64()).cast(KLINES.field("open_time").type)
    table = pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(len(opens), field.type)) for field in KLINES], schema=KLINES
    )

    def quote(position: int) -> str:
        return repr({name: column[position] for name, column in rows.items()})

    return sort_out_session_bars(table, series, sessions, source, quote)


def _open_ms(text: object, interval: Interval, place: ZoneInfo, source: str) -> int:
    try:
        if interval is Interval.D1:
            return to_ms(datetime.combine(date.fromisoformat(str(text)[:10]), time()))
        return to_ms(datetime.fromisoformat(str(text)).replace(tzinfo=place)) - interval.width_ms
    except ValueError as error:
        raise VenueProtocolError(f"{source}: time_key {text!r:.60} is no time") from error


def _to_numbers(column: list[Any]) -> list[float]:
    """Numbers as they are, anything else as NaN, so that its row alone is rejected."""
    return [
        float(value) if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else np.nan
        for value in column
    ]

"""When the two exchanges trade, as far as the sandbox plays them: from 2013 to 2027."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from markethub.domain.span import Span

_CLOSURES: Final = Path(__file__).parent / "closures.json"
FIRST_DATE: Final = date(2013, 1, 1)
LAST_DATE: Final = date(2027, 12, 31)


class Place(NamedTuple):
    """One exchange: its code, zone and the names Yahoo has for it, and its day in local time.

    ``lunch`` is when trading stops in between; half days end at ``early_close``.
    """

    code: str
    zone: str
    exchange: str
    currency: str
    open: time
    close: time
    early_close: time
    lunch: tuple[time, time] | None


NEW_YORK: Final = Place("US", "America/New_York", "NMS", "USD", time(9, 30), time(16), time(13), None)
HONG_KONG: Final = Place(
    "HK", "Asia/Hong_Kong", "HKG", "HKD", time(9, 30), time(16), time(12), (time(12), time(13))
)


class TradingDay(NamedTuple):
    """One session: its date, and the runs of trading in UTC, ascending."""

    date: date
    runs: tuple[Span, ...]

    @property
    def open_ms(self) -> int:
        return self.runs[0].start_ms

    @property
    def close_ms(self) -> int:
        return self.runs[-1].end_ms


class _Closures(NamedTuple):
    closed: frozenset[date]
    early: frozenset[date]


@cache
def trading_day(place: Place, day: date) -> TradingDay | None:
    """The session of a date; None on weekends and holidays, and outside the years that are played."""
    closures = _read_closures()[place.code]
    if day.weekday() >= 5 or day in closures.closed or not FIRST_DATE <= day <= LAST_DATE:
        return None
    close = place.early_close if day in closures.early else place.close
    edges = [place.open, *(place.lunch or ()), close]
    if place.lunch and close <= place.lunch[0]:
        edges = [place.open, close]
    zone = ZoneInfo(place.zone)
    instants = [int(datetime.combine(day, edge, zone).timestamp()) * 1000 for edge in edges]
    runs = tuple(Span(*instants[at : at + 2]) for at in range(0, len(instants), 2))
    return TradingDay(day, runs)


def trading_days(place: Place, span: Span) -> list[TradingDay]:
    """The sessions that touch ``span``, ascending."""
    zone = ZoneInfo(place.zone)
    day = max(datetime.fromtimestamp(span.start_ms / 1000, zone).date(), FIRST_DATE)
    last = min(datetime.fromtimestamp((span.end_ms - 1) / 1000, zone).date(), LAST_DATE)
    found: list[TradingDay] = []
    while day <= last:
        session = trading_day(place, day)
        if session and session.close_ms > span.start_ms and session.open_ms < span.end_ms:
            found.append(session)
        day += timedelta(days=1)
    return found


@cache
def _read_closures() -> Mapping[str, _Closures]:
    def dates(years: Mapping[str, str]) -> frozenset[date]:
        return frozenset(
            date.fromisoformat(f"{year}-{day}") for year, days in years.items() for day in days.split()
        )

    told = orjson.loads(_CLOSURES.read_bytes())
    return {code: _Closures(dates(kinds["closed"]), dates(kinds["early"])) for code, kinds in told.items()}

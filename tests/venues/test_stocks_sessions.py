"""When stocks trade: half days, lunch, holidays, and what the sandbox plays of it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import MissingExtraError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox.yahoo.trading_days import HONG_KONG, NEW_YORK, Place, trading_day
from markethub.venues.stocks.exchanges import HK, INTERVALS, US, Exchange
from markethub.venues.stocks.sessions import StockSessions

NEW_YORK_SESSIONS, HONG_KONG_SESSIONS = StockSessions(US), StockSessions(HK)


def span(start: str, end: str) -> Span:
    return Span(parse_time(start), parse_time(end))


def shown(spans: list[Span]) -> list[str]:
    return [str(one) for one in spans]


def test_a_half_day_a_holiday_and_a_weekend_in_new_york() -> None:
    minutes = NEW_YORK_SESSIONS.trading(Interval.M1, span("2024-12-24", "2024-12-29"))
    assert shown(minutes) == [
        "[2024-12-24T14:30:00Z, 2024-12-24T18:00:00Z)",
        "[2024-12-26T14:30:00Z, 2024-12-26T21:00:00Z)",
        "[2024-12-27T14:30:00Z, 2024-12-27T21:00:00Z)",
    ]
    days = NEW_YORK_SESSIONS.closed(Interval.D1, span("2024-12-24", "2024-12-30"))
    assert shown(days) == [
        "[2024-12-25T00:00:00Z, 2024-12-26T00:00:00Z)",
        "[2024-12-28T00:00:00Z, 2024-12-30T00:00:00Z)",
    ]


def test_summer_time_moves_the_session_in_utc() -> None:
    winter = NEW_YORK_SESSIONS.trading(Interval.M1, span("2024-03-08", "2024-03-09"))
    summer = NEW_YORK_SESSIONS.trading(Interval.M1, span("2024-03-11", "2024-03-12"))
    assert shown(winter + summer) == [
        "[2024-03-08T14:30:00Z, 2024-03-08T21:00:00Z)",
        "[2024-03-11T13:30:00Z, 2024-03-11T20:00:00Z)",
    ]


@pytest.mark.parametrize(
    ("day", "morning", "afternoon"),
    [
        ("2005-06-01", "02:00-04:30", "06:30-08:00"),
        ("2011-06-01", "01:30-04:00", "05:30-08:00"),
        ("2012-03-05", "01:30-04:00", "05:00-08:00"),
    ],
)
def test_the_lunch_of_hong_kong_as_it_was_at_the_time(day: str, morning: str, afternoon: str) -> None:
    start_ms = parse_time(day)
    runs = HONG_KONG_SESSIONS.trading(Interval.M1, Span(start_ms, start_ms + 86_400_000))
    assert [f"{one}"[12:17] + "-" + f"{one}"[34:39] for one in runs] == [morning, afternoon]


def test_a_half_day_of_hong_kong_ends_before_lunch() -> None:
    runs = HONG_KONG_SESSIONS.trading(Interval.M1, span("2024-12-24", "2024-12-27"))
    assert shown(runs) == ["[2024-12-24T01:30:00Z, 2024-12-24T04:00:00Z)"]


def test_a_span_far_ahead_reads_the_calendar_again() -> None:
    sessions = StockSessions(US)
    sessions.load()
    ahead = datetime.now(UTC).replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    start_ms = int((ahead + timedelta(days=6 * 366)).timestamp()) * 1000
    found = sessions.trading(Interval.D1, Span(start_ms, start_ms + 30 * 86_400_000))
    assert found


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(INTERVALS), st.integers(0, 900), st.integers(1, 40), st.booleans())
def test_closed_and_trading_tile_any_span(interval: Interval, first_day: int, days: int, in_hk: bool) -> None:
    sessions = HONG_KONG_SESSIONS if in_hk else NEW_YORK_SESSIONS
    start_ms = parse_time("2011-01-01") + first_day * 86_400_000
    asked = Span(start_ms, start_ms + days * 86_400_000)
    parts = sorted([*sessions.closed(interval, asked), *sessions.trading(interval, asked)])
    assert [part.start_ms for part in parts] == [asked.start_ms, *(part.end_ms for part in parts[:-1])]
    assert parts[-1].end_ms == asked.end_ms
    grid = np.arange(asked.start_ms, asked.end_ms, interval.width_ms, dtype=np.int64)
    trading = sessions.trading(interval, asked)
    inside = [any(at in run for run in trading) for at in grid.tolist()]
    assert sessions.has_bars(interval, grid).tolist() == inside


@pytest.mark.parametrize(("exchange", "place"), [(US, NEW_YORK), (HK, HONG_KONG)])
def test_the_sandbox_trades_on_the_same_days(exchange: Exchange, place: Place) -> None:
    sessions = StockSessions(exchange)
    start = datetime(2013, 1, 1, tzinfo=UTC)
    days = [(start + timedelta(days=at)).date() for at in range(15 * 365)]
    played = [run for day in days if (found := trading_day(place, day)) for run in found.runs]
    start_ms = int(start.timestamp()) * 1000
    asked = Span(start_ms, start_ms + len(days) * 86_400_000)
    assert played == sessions.trading(Interval.M1, asked)


def test_without_the_package_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(MissingExtraError, match=r"markethub\[stocks\]"):
        StockSessions(US).closed(Interval.D1, span("2024-01-01", "2024-02-01"))


def test_nothing_heavy_is_imported_before_a_stock_is_asked_for() -> None:
    code = (
        "import sys\n"
        "from markethub.venues.stocks import create_hk_venue, create_us_venue\n"
        "create_us_venue({}); create_hk_venue({'source': 'futu'})\n"
        "print([name for name in ('pandas', 'exchange_calendars', 'futu') if name in sys.modules])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

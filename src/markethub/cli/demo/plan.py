"""What the demo fetches."""

from dataclasses import dataclass
from datetime import UTC, datetime

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.times import from_ms, parse_time, to_ms


@dataclass(frozen=True, slots=True)
class Request:
    """One backfill; its symbols at each of its intervals over its span."""

    title: str
    symbols: tuple[str, ...]
    intervals: tuple[Interval, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The requests in order, the recorded series that is looked at closely, and a year of it to read."""

    requests: tuple[Request, ...]
    shown_symbol: str
    shown_interval: Interval
    year: Span


_SYMBOL = "BTC_USDT.BNC"
_RECORDED = Span(parse_time("2017-08-17"), parse_time("2022-10-11"))


def full_plan(now_ms: int) -> DemoPlan:
    """Every recorded year of Bitcoin, and made-up bars of the last year up to now."""
    last_year = Span(_month_start_ms(now_ms, 12), _last_minute_ms(now_ms))
    return DemoPlan(
        requests=(
            Request(
                "five real years of Bitcoin", (_SYMBOL,), (Interval.H1, Interval.H4, Interval.D1), _RECORDED
            ),
            Request("a made-up year of minutes", ("ETH_USDT.BNC",), (Interval.M1,), last_year),
            Request(
                "a made-up year of hours",
                ("SOL_USDT.BNC", "BNB_USDT.BNC", "XRP_USDT.BNC", "DOGE_USDT.BNC"),
                (Interval.H1,),
                last_year,
            ),
        ),
        shown_symbol=_SYMBOL,
        shown_interval=Interval.H1,
        year=Span(parse_time("2021-01-01"), parse_time("2022-01-01")),
    )


def quick_plan(now_ms: int) -> DemoPlan:
    """The same story with less of everything: a year and a half of Bitcoin, a month or two of minutes."""
    return DemoPlan(
        requests=(
            Request(
                "real Bitcoin until 2018",
                (_SYMBOL,),
                (Interval.H1, Interval.D1),
                Span(_RECORDED.start_ms, parse_time("2019-01-01")),
            ),
            Request(
                "made-up recent minutes",
                ("ETH_USDT.BNC",),
                (Interval.M1,),
                Span(_month_start_ms(now_ms, 1), _last_minute_ms(now_ms)),
            ),
        ),
        shown_symbol=_SYMBOL,
        shown_interval=Interval.H1,
        year=Span(parse_time("2018-01-01"), parse_time("2019-01-01")),
    )


def _month_start_ms(now_ms: int, months_back: int) -> int:
    """The first instant of the month that began ``months_back`` months before the present one."""
    now = from_ms(now_ms)
    months = now.year * 12 + now.month - 1 - months_back
    return to_ms(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC))


def _last_minute_ms(now_ms: int) -> int:
    # A fixed end: the second run must ask for exactly the same.
    return Interval.M1.floor(now_ms)

"""Futu's adapter against a context that plays OpenD's part: paging, times, errors, threads."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from markethub.domain.errors import (
    MarketHubError,
    MissingExtraError,
    PermissionRefusedError,
    SymbolNotListedError,
    VenueProtocolError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import check_klines, open_times_ms
from markethub.testing.source_contract import join_pages, read_pages
from markethub.venues.stocks.exchanges import HK, US, Exchange
from markethub.venues.stocks.futu.client import FutuKlines
from markethub.venues.stocks.futu.opend import QuoteContext, open_context, translate
from markethub.venues.stocks.options import SourceName, StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import Adjustment

NOW = parse_time("2025-06-17T17:20:30")
DAY = 86_400_000
WIDTHS_MIN = {"K_1M": 1, "K_5M": 5, "K_15M": 15, "K_30M": 30}
CALENDARS = {exchange.code: StockSessions(exchange) for exchange in (US, HK)}
EXCHANGES = {"US": US, "HK": HK}


@dataclass
class OpenD:
    """A QuoteContext with every bar of two stocks; ``page_rows`` is how many a page has at most."""

    page_rows: int = 400
    calls: list[dict[str, Any]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    error: str | None = None
    spoil: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    is_closed: bool = False
    is_stuck: bool = False

    def request_history_kline(
        self,
        code: str,
        start: str | None = None,
        end: str | None = None,
        ktype: str = "K_DAY",
        autype: str = "qfq",
        *,
        max_count: int | None = 1000,
        page_req_key: bytes | None = None,
        extended_time: bool = False,
    ) -> tuple[int, Any, bytes | None]:
        self.calls.append(
            {"code": code, "start": start, "end": end, "ktype": ktype, "autype": autype, "key": page_req_key}
        )
        self.threads.add(threading.current_thread().name)
        if self.error:
            return -1, self.error, None
        assert start is not None
        assert end is not None
        assert max_count == 1000
        assert not extended_time
        rows = self._rows(code, parse_time(start), parse_time(end) + DAY, ktype)
        at = int(page_req_key or b"0")
        upto = at + self.page_rows
        page = pd.DataFrame(
            rows[at:upto], columns=["time_key", "open", "high", "low", "close", "volume", "turnover"]
        )
        if self.spoil:
            page = self.spoil(page)
        next_key = b"0" if self.is_stuck else str(upto).encode()
        return 0, page, next_key if upto < len(rows) else None

    def _rows(self, code: str, start_ms: int, end_ms: int, ktype: str) -> list[tuple[object, ...]]:
        exchange = EXCHANGES[code[:2]]
        zone = ZoneInfo(exchange.zone)
        span = Span(start_ms, min(end_ms, NOW))
        minutes = WIDTHS_MIN.get(ktype)
        interval = Interval.D1 if minutes is None else Interval(f"{minutes}m")
        opens = [
            at
            for run in CALENDARS[exchange.code].trading(interval, span)
            for at in range(run.start_ms, run.end_ms, interval.width_ms)
        ]
        return [(self._time_key(at, interval, zone), 10.0, 12.0, 9.0, 11.0, 100, 1100.0) for at in opens]

    def _time_key(self, open_ms: int, interval: Interval, zone: ZoneInfo) -> str:
        if interval is Interval.D1:
            return datetime.fromtimestamp(open_ms / 1000, ZoneInfo("UTC")).strftime("%Y-%m-%d 00:00:00")
        return datetime.fromtimestamp((open_ms + interval.width_ms) / 1000, zone).strftime(
            "%Y-%m-%d %H:%M:%S"
        )

    def get_stock_basicinfo(
        self, market: str, stock_type: str = "STOCK", code_list: Sequence[str] | None = None
    ) -> tuple[int, Any]:
        self.calls.append({"listing": code_list})
        if self.error:
            return -1, self.error
        if code_list == ["US.NOSUCH"]:
            return -1, "Unknown stock NOSUCH"
        return 0, pd.DataFrame([{"code": code} for code in code_list or ()])

    def get_global_state(self) -> tuple[int, Any]:
        if self.error:
            return -1, self.error
        return 0, {"timestamp": str(NOW // 1000), "server_ver": "1011"}

    def close(self) -> None:
        self.is_closed = True


def source_of(opend: OpenD, exchange: Exchange = US, adjustment: Adjustment = Adjustment.RAW) -> FutuKlines:
    options = StockOptions(source=SourceName.FUTU, adjustment=adjustment, patience_s=0.5)

    def open_quotes(host: str, port: int, timeout_s: float) -> QuoteContext:
        assert (host, port, timeout_s) == ("127.0.0.1", 11111, 20.0)
        return opend

    return FutuKlines(exchange, options, CALENDARS[exchange.code], open_quotes=open_quotes)


async def test_minutes_are_labelled_by_when_they_open() -> None:
    opend = OpenD()
    source = source_of(opend)
    span = Span(parse_time("2025-06-09"), parse_time("2025-06-17T18:00"))
    pages = await read_pages(source, Series.parse("US.AAPL 1m"), span)
    bars = join_pages(pages)
    check_klines(bars, Interval.M1, "Futu")
    assert open_times_ms(bars)[0].as_py() == parse_time("2025-06-09T13:30")
    # Seven sessions; of the last one all that had ended twenty minutes ago.
    assert len(bars) == 6 * 390 + 210
    assert open_times_ms(bars)[-1].as_py() == parse_time("2025-06-17T16:59")
    assert bars.slice(0, 1).to_pylist()[0]["quote_volume"] == 1100.0
    assert not any(page.rejected for page in pages)
    assert pages[-1].covered is None
    await source.close()


async def test_pages_are_followed_by_their_key() -> None:
    opend = OpenD()
    source = source_of(opend)
    span = Span(parse_time("2025-06-09"), parse_time("2025-06-14"))
    page = await source.klines(Series.parse("US.AAPL 1m"), span)
    assert len(page.bars) == 5 * 390
    assert page.covered == span
    assert [call["key"] for call in opend.calls] == [None, b"400", b"800", b"1200", b"1600"]
    assert {
        (call["code"], call["start"], call["end"], call["ktype"], call["autype"]) for call in opend.calls
    } == {("US.AAPL", "2025-06-09", "2025-06-13", "K_1M", "None")}
    # All calls are made by one thread, which is not ours.
    (name,) = opend.threads
    assert name.startswith("futu-US")
    await source.close()
    assert opend.is_closed


async def test_a_page_that_leads_to_itself_is_refused() -> None:
    source = source_of(OpenD(is_stuck=True))
    with pytest.raises(VenueProtocolError, match="the same one again"):
        await source.klines(
            Series.parse("US.AAPL 1m"), Span(parse_time("2025-06-09"), parse_time("2025-06-14"))
        )
    await source.close()


async def test_hong_kong_and_forward_adjustment() -> None:
    opend = OpenD()
    source = source_of(opend, HK, Adjustment.ADJUSTED)
    assert source.label == "rest futu adjusted"
    span = Span(parse_time("2024-12-23"), parse_time("2024-12-28"))
    halves = await source.klines(Series.parse("HK.00700 30m"), span)
    # Two days and a half of eleven half hours each, and two holidays.
    assert len(halves.bars) == 11 + 5 + 11
    days = await source.klines(Series.parse("HK.00700 1d"), span)
    assert [row["open_time"].day for row in days.bars.to_pylist()] == [23, 24, 27]
    assert {call["autype"] for call in opend.calls} == {"qfq"}
    await source.close()


async def test_a_close_outside_low_and_high_is_set_apart() -> None:
    def spoil(page: pd.DataFrame) -> pd.DataFrame:
        page.loc[0, "close"] = 20.0
        return page

    source = source_of(OpenD(spoil=spoil))
    span = Span(parse_time("2025-06-09"), parse_time("2025-06-10"))
    page = await source.klines(Series.parse("US.AAPL 30m"), span)
    assert len(page.bars) == 12
    assert [reject.key for reject in page.rejected] == ["2025-06-09T13:30:00Z"]
    assert "20.0" in page.rejected[0].payload
    await source.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda page: page.drop(columns=["close"]), "candlesticks without close"),
        (lambda page: page.assign(time_key="soon"), "time_key 'soon' is no time"),
        (lambda page: page.assign(time_key=None), "is no time"),
        (lambda page: page.assign(close="much"), "13 of 13 bars make no sense"),
        (lambda page: pd.concat([page, page]), "repeated or out of order"),
        (lambda _: None, "candlesticks without time_key"),
    ],
)
async def test_what_is_no_candlestick_is_refused(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    source = source_of(OpenD(spoil=spoil))
    span = Span(parse_time("2025-06-09"), parse_time("2025-06-10"))
    with pytest.raises(VenueProtocolError, match=message):
        await source.klines(Series.parse("US.AAPL 30m"), span)
    await source.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Not connected", VenueUnavailableError),
        ("Timeout", VenueUnavailableError),
        ("Connection lost", VenueUnavailableError),
        ("Connect timeout", VenueUnavailableError),
        ("获取历史K线频率太高，请求失败，每30秒最多60次。", VenueThrottledError),
        ("Request is too frequent", VenueThrottledError),
        ("未知股票 US.NOSUCH", SymbolNotListedError),
        ("No permission for US quotes", PermissionRefusedError),
        ("历史K线额度不足", PermissionRefusedError),
        ("something else", VenueRefusedError),
    ],
)
async def test_errors_in_our_words(text: str, kind: type[MarketHubError]) -> None:
    error = translate(text, "US klines")
    assert type(error) is kind
    assert text in str(error)
    source = source_of(OpenD(error=text))
    with pytest.raises(kind):
        await source.server_time_ms()
    await source.close()


async def test_a_refusal_for_load_closes_the_gate() -> None:
    opend = OpenD()
    source = source_of(opend)
    series, span = Series.parse("US.AAPL 1d"), Span(parse_time("2025-06-09"), parse_time("2025-06-14"))
    await source.server_time_ms()
    opend.error = "Request is too frequent"
    with pytest.raises(VenueThrottledError):
        await source.klines(series, span)
    asked = len(opend.calls)
    with pytest.raises(VenueThrottledError, match="asked us to stay away"):
        await source.klines(series, span)
    assert len(opend.calls) == asked
    assert source.limits()[0].closed_until_ms is not None
    await source.close()


async def test_listed_is_asked_once_an_hour() -> None:
    opend = OpenD()
    source = source_of(opend)
    for _ in range(2):
        assert await source.listed(Symbol.parse("US.AAPL"))
        assert not await source.listed(Symbol.parse("US.NOSUCH"))
        assert not await source.listed(Symbol.parse("HK.00700"))
    assert len(opend.calls) == 2
    assert await source.server_time_ms() == NOW // 1000 * 1000
    await source.close()


async def test_after_closing_nothing_is_asked() -> None:
    opend = OpenD()
    source = source_of(opend)
    await source.server_time_ms()
    await source.close()
    await source.close()
    with pytest.raises(VenueUnavailableError, match="closed on our side"):
        await source.server_time_ms()


async def test_without_the_library_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "futu", None)
    source = FutuKlines(US, StockOptions(source=SourceName.FUTU), CALENDARS["US"])
    with pytest.raises(MissingExtraError, match=r"markethub\[futu\]"):
        await source.server_time_ms()
    await source.close()


def test_the_library_is_used_as_it_wants_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []

    class Context:
        def __init__(self, **options: object) -> None:
            said.append(options)

        def set_sync_query_connect_timeout(self, timeout_s: float) -> None:
            said.append(timeout_s)

    class SysConfig:
        @classmethod
        def set_all_thread_daemon(cls, is_daemon: bool) -> None:
            said.append(is_daemon)

    library = ModuleType("futu")
    vars(library).update(OpenQuoteContext=Context, SysConfig=SysConfig)
    monkeypatch.setitem(sys.modules, "futu", library)
    open_context("127.0.0.1", 11111, 7.5)
    # Connecting in the foreground would block for ever where no OpenD runs.
    assert said == [True, {"host": "127.0.0.1", "port": 11111, "is_async_connect": True}, 7.5]


def test_a_library_that_ends_the_process_does_not_end_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(name: str) -> ModuleType:
        raise SystemExit(1)

    monkeypatch.setattr("markethub.venues.stocks.futu.opend.importlib.import_module", leave)
    with pytest.raises(MissingExtraError):
        open_context("127.0.0.1", 11111, 7.5)


def test_the_other_sources_import_nothing_of_it() -> None:
    code = (
        "import sys, asyncio\n"
        "from markethub.venues.stocks import create_us_venue\n"
        "from markethub.domain.symbol import Symbol\n"
        "venue = create_us_venue({'source': 'folder', 'path': '/nowhere'})\n"
        "print(asyncio.run(venue.klines.listed(Symbol.parse('US.AAPL'))), 'futu' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


async def test_cancelled_callers_leave_the_thread_usable() -> None:
    source = source_of(OpenD())
    task = asyncio.create_task(source.server_time_ms())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await source.server_time_ms() == NOW // 1000 * 1000
    await source.close()

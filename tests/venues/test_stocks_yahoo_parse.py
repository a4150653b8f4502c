"""Yahoo's answers: exact values, what is refused, and what raw and adjusted prices are."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import SymbolNotListedError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import SortedBars, check_klines, open_times_ms
from markethub.venues.stocks.exchanges import HK, US
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import Adjustment
from markethub.venues.stocks.yahoo.adjust import split_factors, to_raw
from markethub.venues.stocks.yahoo.bars import DailyScale, daily_bars, minute_bars
from markethub.venues.stocks.yahoo.errors import fault_table, read_words, says_no_data
from markethub.venues.stocks.yahoo.names import join_name
from markethub.venues.stocks.yahoo.parse import Asked, Chart, parse_chart
from markethub.venues.stocks.yahoo.session import read_date_ms
from markethub.venues.transport.session import Answer

SESSIONS = StockSessions(US)
ASKED = Asked("AAPL", "1d", US.zone)
DAY = 86_400_000
AAPL = Series.parse("US.AAPL 1d")

# The four days around Apple's split of four to one, as Yahoo shows them: single precision, volumes scaled.
OPENS_S = [1598535000, 1598621400, 1598880600, 1598967000]  # 27, 28, 31 August and 1 September 2020, 09:30
CLOSES: list[float | None] = [125.01000213623047, 124.80750274658203, 129.0399932861328, 134.17999267578125]
SPLIT = {"1598880600": {"date": 1598880600, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}}


def answer(
    times: list[int] | None = None,
    closes: list[float | None] | None = None,
    splits: dict[str, Any] | None = None,
    granularity: str = "1d",
    **changes: object,
) -> bytes:
    times = OPENS_S if times is None else times
    closes = CLOSES if closes is None else closes
    result: dict[str, Any] = {
        "meta": {"symbol": "AAPL", "exchangeTimezoneName": US.zone, "dataGranularity": granularity},
        "timestamp": times,
        "indicators": {
            "quote": [
                {
                    "open": closes,
                    "high": [None if close is None else close + 1 for close in closes],
                    "low": [None if close is None else close - 1 for close in closes],
                    "close": closes,
                    "volume": [None if close is None else 1_000_000 for close in closes],
                }
            ],
            "adjclose": [{"adjclose": [None if close is None else close * 0.75 for close in closes]}],
        },
    }
    if splits is not None:
        result["events"] = {"splits": splits}
    return orjson.dumps({"chart": {"result": [result | changes], "error": None}})


def chart_of(body: bytes, granularity: str = "1d") -> Chart:
    return parse_chart(body, ASKED._replace(granularity=granularity), "Yahoo")


def sort_days(body: bytes, adjustment: Adjustment = Adjustment.RAW) -> SortedBars:
    scale = DailyScale(chart_of(body), US.zone, adjustment, "Yahoo")
    window = Span(parse_time("2020-08-01"), parse_time("2020-10-01"))
    return daily_bars(scale, AAPL, window, SESSIONS, "Yahoo")


def days(body: bytes, adjustment: Adjustment = Adjustment.RAW) -> list[dict[str, Any]]:
    found = sort_days(body, adjustment)
    assert found.rejected == ()
    check_klines(found.bars, Interval.D1, "Yahoo")
    rows: list[dict[str, Any]] = found.bars.to_pylist()
    return rows


def test_raw_days_are_as_they_were_traded() -> None:
    rows = days(answer(splits=SPLIT))
    # 125.01 was traded at 500.04, 124.8075 at 499.23: Apple's true closes of those days.
    assert [row["close"] for row in rows] == [500.04, 499.23, 129.04, 134.18]
    assert [row["volume"] for row in rows] == [250_000, 250_000, 1_000_000, 1_000_000]
    assert [row["open_time"].isoformat() for row in rows] == [
        "2020-08-27T00:00:00+00:00",
        "2020-08-28T00:00:00+00:00",
        "2020-08-31T00:00:00+00:00",
        "2020-09-01T00:00:00+00:00",
    ]
    assert rows[0]["quote_volume"] is None
    assert rows[0]["trades"] is None


def test_adjusted_days_are_scaled_by_the_adjusted_close() -> None:
    rows = days(answer(splits=SPLIT), Adjustment.ADJUSTED)
    assert [row["close"] for row in rows] == pytest.approx([close * 0.75 for close in CLOSES if close])
    assert rows[0]["high"] == pytest.approx((125.01000213623047 + 1) * 0.75)
    assert [row["volume"] for row in rows] == [1_000_000] * 4


def test_a_reverse_split_makes_earlier_raw_prices_smaller() -> None:
    split = {"1": {"date": OPENS_S[2], "numerator": 1, "denominator": 20}}
    rows = days(answer(closes=[20.0, 21.0, 22.0, 23.0], splits=split))
    assert [row["close"] for row in rows] == [1.0, 1.05, 22.0, 23.0]
    assert [row["volume"] for row in rows] == [20_000_000, 20_000_000, 1_000_000, 1_000_000]


def test_days_of_nulls_are_holes() -> None:
    rows = days(answer(closes=[125.0, None, 129.0, 134.0]))
    assert [row["open_time"].day for row in rows] == [27, 31, 1]


def test_a_row_with_one_null_price_is_set_apart() -> None:
    body = orjson.loads(answer())
    body["chart"]["result"][0]["indicators"]["quote"][0]["high"][1] = None
    found = sort_days(orjson.dumps(body))
    assert [row["open_time"].day for row in found.bars.to_pylist()] == [27, 31, 1]
    (reject,) = found.rejected
    assert reject.key == "2020-08-28T00:00:00Z"
    assert "high" in reject.reason
    assert "1598621400" in reject.payload


def test_a_bar_on_a_holiday_is_set_apart_unless_nothing_was_traded() -> None:
    labor_day = 1599485400  # 2020-09-07, 09:30
    for volume, rejected in ((1_000, 1), (0, 0)):
        body = orjson.loads(answer(times=[*OPENS_S[:3], labor_day]))
        body["chart"]["result"][0]["indicators"]["quote"][0]["volume"][3] = volume
        found = sort_days(orjson.dumps(body))
        assert len(found.bars) == 3
        assert [reject.reason for reject in found.rejected] == [
            "outside the sessions of the exchange"
        ] * rejected


def test_of_a_last_day_that_comes_twice_the_live_row_is_taken() -> None:
    live_s = OPENS_S[3] + 6 * 3600 + 1837
    rows = days(answer(times=[*OPENS_S, live_s], closes=[*CLOSES, 134.5]))
    assert [row["close"] for row in rows] == [125.01, 124.8075, 129.04, 134.5]


def test_a_day_that_comes_twice_elsewhere_is_refused() -> None:
    with pytest.raises(VenueProtocolError, match="repeated or out of order"):
        days(answer(times=[OPENS_S[0], OPENS_S[0] + 60, OPENS_S[2], OPENS_S[3]]))


def test_a_split_that_the_prices_do_not_know_yet_is_refused() -> None:
    undivided: list[float | None] = [500.04, 499.23, 129.04, 134.18]
    with pytest.raises(VenueProtocolError, match="split of 4 to 1 on 2020-08-31 is listed, but the prices"):
        days(answer(closes=undivided, splits=SPLIT))
    # Without the split it is a crash, and crashes happen.
    assert days(answer(closes=undivided))[2]["close"] == 129.04


MINUTES_S = [1598880600 + 60 * at for at in range(4)]


def minutes(
    body: bytes, daily: bytes | None = None, interval: Interval = Interval.M1, granularity: str = "1m"
) -> SortedBars:
    scale = DailyScale(chart_of(daily or answer(splits=SPLIT)), US.zone, Adjustment.RAW, "Yahoo")
    window = Span(parse_time("2020-08-28"), parse_time("2020-09-01"))
    series = Series(AAPL.symbol, interval)
    chart = chart_of(body, granularity)
    return minute_bars(chart, scale, series, window, sessions=SESSIONS, source="Yahoo")


def test_minutes_open_when_yahoo_says_and_the_live_row_is_left_out() -> None:
    body = answer(
        times=[*MINUTES_S, 1598880600 + 245], closes=[129.0, None, 129.5, 130.0, 131.0], granularity="1m"
    )
    found = minutes(body)
    assert [(row["open_time"].minute, row["close"]) for row in found.bars.to_pylist()] == [
        (30, 129.0),
        (32, 129.5),
        (33, 130.0),
    ]
    assert found.rejected == ()


def test_an_odd_second_before_the_end_is_refused() -> None:
    body = answer(times=[MINUTES_S[0], MINUTES_S[1] + 7, *MINUTES_S[2:]], granularity="1m")
    with pytest.raises(VenueProtocolError, match="off the 1m grid"):
        minutes(body)


def test_minutes_of_a_night_are_set_apart_and_the_closing_auction_is_left_out() -> None:
    close_s = 1598904000  # 16:00
    body = answer(
        times=[close_s - 60, close_s, close_s + 600, close_s + 3 * 3600],
        closes=[129.0, 129.04, 129.04, 129.1],
        granularity="1m",
    )
    found = minutes(body)
    assert open_times_ms(found.bars).to_pylist() == [(close_s - 60) * 1000]
    assert [reject.key for reject in found.rejected] == ["2020-08-31T23:00:00Z"]


def test_minutes_on_another_scale_than_their_day_are_refused() -> None:
    body = answer(times=MINUTES_S, closes=[516.0, 517.0, 518.0, 519.0], granularity="1m")
    with pytest.raises(
        VenueProtocolError, match="minute bars of 2020-08-31 end at 519, but the day closed at 129"
    ):
        minutes(body)


def test_half_hours_are_added_up_from_quarters_and_spoilt_by_a_bad_one() -> None:
    quarters = [1598880600 + 900 * at for at in range(6)]
    body = orjson.loads(
        answer(times=quarters, closes=[129.0, 130.0, 131.0, 132.0, 133.0, 134.0], granularity="15m")
    )
    body["chart"]["result"][0]["indicators"]["quote"][0]["low"][3] = 140.0
    found = minutes(orjson.dumps(body), interval=Interval.M30, granularity="15m")
    rows = [
        (row["open"], row["high"], row["low"], row["close"], row["volume"]) for row in found.bars.to_pylist()
    ]
    assert rows == [(129.0, 131.0, 128.0, 130.0, 2_000_000), (133.0, 135.0, 132.0, 134.0, 2_000_000)]
    (reject,) = found.rejected
    assert (reject.key, reject.span.width_ms) == ("2020-08-31T14:00:00Z", 1_800_000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a chart"),
        (b'{"chart": {"result": null, "error": null}}', "not a chart"),
        (answer(meta={"symbol": "AAPL"}), "does not say what it shows"),
        (answer(meta={"symbol": "TSLA", "exchangeTimezoneName": US.zone, "dataGranularity": "1d"}), "TSLA"),
        (answer(granularity="1mo"), "the chart shows .*1mo"),
        (
            answer(meta={"symbol": "AAPL", "exchangeTimezoneName": "UTC", "dataGranularity": "1d"}),
            "the chart shows .*UTC",
        ),
        (answer(timestamp=[1, 2, 3, "4"]), "times are not whole seconds"),
        (answer(timestamp=[1, 2, 3, 10**15]), "times outside 1900 to 2100"),
        (answer(times=OPENS_S[::-1]), "times out of order"),
        (answer(indicators={}), "without quotes"),
        (answer(closes=[1.0, 2.0]), "not one open for each time"),
        (answer(indicators={"quote": [{"open": ["1", 2, 3, 4]}]}), "open is not all numbers"),
        (answer(events=[]), "events are not an object"),
        (answer(splits={"1": {"date": 1, "numerator": 0, "denominator": 1}}), "not a split"),
        (answer(splits={"1": {"date": 1, "numerator": 10**9, "denominator": 1}}), "not a split"),
        (answer(splits={"1": []}), "not a split"),
    ],
)
def test_what_is_no_chart_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(VenueProtocolError, match=message):
        chart_of(body)


def test_a_chart_without_any_bar() -> None:
    empty = orjson.loads(answer(splits=SPLIT))
    del empty["chart"]["result"][0]["timestamp"]
    empty["chart"]["result"][0]["indicators"] = {"quote": [{}], "adjclose": [{}]}
    chart = chart_of(orjson.dumps(empty))
    assert (len(chart.times_s), len(chart.splits)) == (0, 1)
    refusal = {"code": "Bad Request", "description": "Data doesn't exist for startDate = 1, endDate = 2"}
    told = orjson.dumps({"chart": {"result": None, "error": refusal}})
    assert len(chart_of(told).times_s) == 0
    assert says_no_data(400, told)
    assert not says_no_data(422, told)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, b'{"chart":{"error":{"code":"Not Found","description":"No data found"}}}', "SYMBOL_NOT_LISTED"),
        (422, b'{"chart":{"error":{"code":"Unprocessable Entity","description":"1m"}}}', "VENUE_REFUSED"),
        (401, b"Unauthorized", "VENUE_REFUSED"),
    ],
)
def test_refusals_are_understood(status: int, body: bytes, code: str) -> None:
    fault = fault_table("US").judge(Answer(status, {}, body), "chart")
    assert fault is not None
    assert isinstance(fault.reaction, type)
    assert fault.reaction.code == code


@pytest.mark.parametrize("status", [429, 999])
def test_too_many_requests_are_waited_for(status: int) -> None:
    fault = fault_table("US").judge(Answer(status, {}, b"Too Many Requests\r\n"), "chart")
    assert fault is not None
    assert str(fault.reaction) == "Reaction.WAIT"


@given(st.integers(400, 599), st.binary(max_size=60))
def test_any_refusal_can_be_read(status: int, body: bytes) -> None:
    words = read_words(status, body)
    assert words is None or words.code


def test_tickers_as_yahoo_writes_them() -> None:
    assert join_name(US, Symbol.parse("US.BRK.B")) == "BRK-B"
    assert join_name(HK, Symbol.parse("HK.00700")) == "0700.HK"
    assert join_name(HK, Symbol.parse("HK.80700")) == "80700.HK"
    for exchange, text in (
        (HK, "HK.700"),
        (HK, "HK.00000"),
        (US, "HK.00700"),
        (HK, "US.AAPL"),
        (US, "US.0700"),
    ):
        with pytest.raises(SymbolNotListedError):
            join_name(exchange, Symbol.parse(text))


@pytest.mark.parametrize("text", [None, "", "yesterday", "Tue, 99 Jun 2025 10:00:00 GMT"])
def test_an_answer_without_a_date_is_refused(text: str | None) -> None:
    with pytest.raises(VenueProtocolError, match="no date"):
        read_date_ms(text)
    assert read_date_ms("Tue, 17 Jun 2025 10:00:00 GMT") == parse_time("2025-06-17T10:00:00Z")


cents = st.integers(1, 100_000_000).map(lambda amount: amount / 100)
ratios = st.sampled_from([2.0, 3.0, 7.0, 20.0, 1.5, 1.046, 0.1, 0.05, 112.0])


@given(st.lists(cents, min_size=1, max_size=20), st.lists(ratios, max_size=3))
def test_traded_prices_come_back_from_yahoos_single_precision(
    prices: list[float], splits: list[float]
) -> None:
    dates = np.arange(len(prices), dtype=np.int64) * DAY
    factors = split_factors(dates, [(len(prices) * DAY, ratio) for ratio in splits])
    assert factors[0] == pytest.approx(math.prod(splits))
    shown = np.float32(np.array(prices) / factors).astype(np.float64)
    values = np.stack([shown, shown, shown, shown, 1000.0 * factors])
    raw = to_raw(values, factors)
    for told, price in zip(raw[3].tolist(), prices, strict=True):
        # Single precision has seven digits: a cent of a price above 80,000 is beyond it.
        assert told == pytest.approx(price, rel=1.3e-7)
        if price < 80_000:
            assert round(told, 2) == price
    assert raw[4].tolist() == [1000.0] * len(prices)
    assert (raw[2] <= raw[3]).all()


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 10**12)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_answer_gives_a_chart_or_one_error(data: st.DataObject) -> None:
    body = orjson.loads(answer(splits=SPLIT))
    result = body["chart"]["result"][0]
    quote = result["indicators"]["quote"][0]
    match data.draw(st.sampled_from(["column", "meta", "times", "splits", "anywhere", "nothing"])):
        case "column":
            quote[data.draw(st.sampled_from(list(quote)))] = data.draw(
                st.lists(numbers, min_size=3, max_size=5) | json
            )
        case "meta":
            result["meta"][data.draw(st.sampled_from(list(result["meta"])))] = data.draw(json)
        case "times":
            result["timestamp"] = data.draw(st.lists(st.integers(-(2**40), 2**40), max_size=5) | json)
        case "splits":
            result["events"] = data.draw(st.fixed_dictionaries({"splits": json}) | json)
        case "anywhere":
            body["chart"]["result"] = data.draw(json)
        case _:
            pass
    try:
        found = sort_days(orjson.dumps(body), data.draw(st.sampled_from(Adjustment)))
    except VenueProtocolError:
        return
    check_klines(found.bars, Interval.D1, "Yahoo")

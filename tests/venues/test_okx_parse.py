"""OKX's recorded answers give exact values; anything else gives one error."""

from collections.abc import Callable

import orjson
import pytest

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES
from markethub.venues.okx.names import BARS
from markethub.venues.okx.parse import Candles, parse_candles, parse_instruments, parse_server_time
from tests.kline_formats import HOUR, OKX, SPAN, START

Payload = Callable[[str], bytes]

RECORDED = 1_705_420_800_000


def parse(*rows: object) -> Candles:
    return parse_candles(OKX.body(rows), Interval.H1, SPAN, "OKX page")


def times_ms(candles: Candles) -> list[int]:
    times: list[int] = candles.confirmed.bars["open_time"].cast("int64").to_pylist()
    return times


def test_the_recorded_hours_of_btc(payload: Payload) -> None:
    asked = Span(RECORDED, RECORDED + 10 * HOUR)
    candles = parse_candles(payload("okx_candles_1.json"), Interval.H1, asked, "page")
    assert candles.confirmed.bars.schema.equals(KLINES)
    assert times_ms(candles) == [RECORDED + at * HOUR for at in range(4)]
    assert (candles.first_ms, candles.unconfirmed_ms) == (RECORDED, None)
    oldest, *_, newest = candles.confirmed.bars.drop_columns("open_time").to_pylist()
    unknown = {"trades": None, "taker_volume": None, "taker_quote_volume": None}
    assert oldest == unknown | {
        "open": 43253.6, "high": 43440.2, "low": 43000.0, "close": 43250.9,
        "volume": 942.87870026, "quote_volume": 40743115.773175484,
    }  # fmt: skip
    assert newest == unknown | {
        "open": 43016.0, "high": 43183.8, "low": 42946.0, "close": 43169.7,
        "volume": 404.74017381, "quote_volume": 17447600.212916623,
    }  # fmt: skip
    # The quote volume is in the quote currency: worth the base volume at the bar's prices.
    for bar in candles.confirmed.bars.to_pylist():
        assert bar["low"] * bar["volume"] <= bar["quote_volume"] <= bar["high"] * bar["volume"]


def test_the_recorded_open_bar_is_not_returned(payload: Payload) -> None:
    open_ms = 1_786_820_400_000
    asked = Span(open_ms - HOUR, open_ms + HOUR)
    candles = parse_candles(payload("okx_candles_3.json"), Interval.H1, asked, "page")
    assert times_ms(candles) == [open_ms - HOUR]
    assert candles.confirmed.bars["close"].to_pylist() == [63028.0]
    assert (candles.first_ms, candles.unconfirmed_ms) == (open_ms - HOUR, open_ms)


def test_the_documentations_example_is_no_page_of_bars(payload: Payload) -> None:
    asked = Span(1_597_000_000_000, 1_597_100_000_000)
    with pytest.raises(VenueProtocolError, match="grid"):
        parse_candles(payload("okx_history_candles_4.json"), Interval.M1, asked, "page")


def test_nothing_from_the_first_unconfirmed_bar_on_is_returned() -> None:
    candles = parse(OKX.row(4), OKX.row(3, closed="0"), OKX.row(2, closed="0"), OKX.row(1), OKX.row(0))
    assert times_ms(candles) == [START, START + HOUR]
    assert (candles.first_ms, candles.unconfirmed_ms) == (START, START + 2 * HOUR)
    only = parse(OKX.row(1, closed="0"))
    assert (only.confirmed.bars.num_rows, only.first_ms, only.unconfirmed_ms) == (
        0,
        START + HOUR,
        START + HOUR,
    )


def test_a_daily_bar_of_utc_plus_8_is_refused() -> None:
    # What the venue sends when asked for 1D instead of 1Dutc.
    assert BARS[Interval.D1] == "1Dutc"
    asked = Span(parse_time("2024-01-01"), parse_time("2024-01-05"))
    for start, sound in (("2024-01-01T16:00", False), ("2024-01-01", True)):
        body = OKX.body([OKX.row(open_time=str(parse_time(start)))])
        if sound:
            assert parse_candles(body, Interval.D1, asked, "page").confirmed.bars.num_rows == 1
        else:
            with pytest.raises(VenueProtocolError, match="open time off the 1d grid"):
                parse_candles(body, Interval.D1, asked, "page")


def test_the_second_quote_volume_is_text_as_well() -> None:
    with pytest.raises(VenueProtocolError, match=r"^OKX page: .*not all in quotes"):
        parse(OKX.row(quote_volume_again=None))


@pytest.mark.parametrize(
    "envelope",
    [
        {"code": "50011", "msg": "", "data": []},
        {"code": 0, "msg": "", "data": []},
        {"data": []},
        {"code": "0"},
        [],
        None,
    ],
)
def test_an_envelope_that_is_no_success_is_refused(envelope: object) -> None:
    body = orjson.dumps(envelope)
    with pytest.raises(VenueProtocolError, match="not a success"):
        parse_candles(body, Interval.H1, SPAN, "page")


def test_the_recorded_listing(payload: Payload) -> None:
    body = payload("okx_instruments_spot_1.json.gz")
    listing = parse_instruments(body)
    assert len(listing) == len(orjson.loads(body)["data"]) == 513
    assert Symbol.parse("BTC_USDT.OKX") in listing
    assert Symbol.parse("1INCH_USDT.OKX") in listing
    assert Symbol.parse("BTC_USDT.BNC") not in listing
    names = {f"{symbol.base}-{symbol.quote}" for symbol in listing}
    assert names == {entry["instId"] for entry in orjson.loads(body)["data"]}


def entry(base: str, quote: str = "USDT", **changes: str) -> dict[str, str]:
    return {"instType": "SPOT", "instId": f"{base}-{quote}", "baseCcy": base, "quoteCcy": quote} | changes


def test_a_pair_we_cannot_name_is_left_out() -> None:
    entries = [
        *(entry(base) for base in ("BTC", "币安人生", "b", "A-B", "")),
        entry("X", instId="X-USDT-UM"),
        entry("Y", instId="Z-USDT"),
        entry("OLD", state="suspend"),
    ]
    listing = parse_instruments(orjson.dumps({"code": "0", "data": entries}))
    assert listing == {Symbol.parse(f"{base}_USDT.OKX") for base in ("BTC", "币安人生", "OLD")}


@pytest.mark.parametrize("data", [None, {}, [], [1], [{"instId": "A-B"}], [entry("A", instType="SWAP")]])
def test_a_listing_that_lists_nothing_is_refused(data: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_instruments(orjson.dumps({"code": "0", "data": data}))


def test_the_servers_time() -> None:
    body = b'{"code":"0","msg":"","data":[{"ts":"1597026383085"}]}'
    assert parse_server_time(body) == 1_597_026_383_085


@pytest.mark.parametrize(
    "told", ["1597026383", "1597026383085000", "1.6e12", "", 1597026383085, None, True, "9" * 5000, "-1"]
)
def test_a_time_in_another_unit_is_refused(told: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_server_time(orjson.dumps({"code": "0", "data": [{"ts": told}]}))

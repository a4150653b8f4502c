"""OKX's recorded answers give exact values; anything else gives one error."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES, check_klines
from markethub.venues.okx.names import BARS
from markethub.venues.okx.parse import Candles, parse_candles, parse_instruments, parse_server_time

Payload = Callable[[str], bytes]

HOUR = 3_600_000
START = 1_705_420_800_000
SPAN = Span(START, START + 10 * HOUR)


def row(index: int = 0, **changes: Any) -> list[Any]:  # noqa: ANN401
    cells: dict[str, Any] = {
        "ts": str(START + index * HOUR), "open": "8.5", "high": "9.0", "low": "8.0", "close": "8.75",
        "vol": "12.5", "vol_ccy": "106.25", "vol_ccy_quote": "106.25", "confirm": "1",
    }  # fmt: skip
    return list((cells | changes).values())


def parse(rows: object) -> Candles:
    body = orjson.dumps({"code": "0", "msg": "", "data": rows})
    return parse_candles(body, Interval.H1, SPAN, "OKX page")


def times_ms(candles: Candles) -> list[int]:
    times: list[int] = candles.bars["open_time"].cast("int64").to_pylist()
    return times


def test_the_recorded_hours_of_btc(payload: Payload) -> None:
    candles = parse_candles(payload("okx_candles_1.json"), Interval.H1, SPAN, "page")
    assert candles.bars.schema.equals(KLINES)
    assert times_ms(candles) == [START, START + HOUR, START + 2 * HOUR, START + 3 * HOUR]
    assert (candles.first_ms, candles.unconfirmed_ms) == (START, None)
    oldest, *_, newest = candles.bars.drop_columns("open_time").to_pylist()
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
    for bar in candles.bars.to_pylist():
        assert bar["low"] * bar["volume"] <= bar["quote_volume"] <= bar["high"] * bar["volume"]


def test_the_recorded_open_bar_is_not_returned(payload: Payload) -> None:
    open_ms = 1_786_820_400_000
    asked = Span(open_ms - HOUR, open_ms + HOUR)
    candles = parse_candles(payload("okx_candles_3.json"), Interval.H1, asked, "page")
    assert times_ms(candles) == [open_ms - HOUR]
    assert candles.bars["close"].to_pylist() == [63028.0]
    assert (candles.first_ms, candles.unconfirmed_ms) == (open_ms - HOUR, open_ms)


def test_the_documentations_example_is_no_page_of_bars(payload: Payload) -> None:
    asked = Span(1_597_000_000_000, 1_597_100_000_000)
    with pytest.raises(VenueProtocolError, match="grid"):
        parse_candles(payload("okx_history_candles_4.json"), Interval.M1, asked, "page")


def test_an_empty_page() -> None:
    candles = parse([])
    assert candles.bars.schema.equals(KLINES)
    assert (candles.bars.num_rows, candles.first_ms, candles.unconfirmed_ms) == (0, None, None)


def test_nothing_from_the_first_unconfirmed_bar_on_is_returned() -> None:
    candles = parse([row(4), row(3, confirm="0"), row(2, confirm="0"), row(1), row(0)])
    assert times_ms(candles) == [START, START + HOUR]
    assert (candles.first_ms, candles.unconfirmed_ms) == (START, START + 2 * HOUR)
    only = parse([row(1, confirm="0")])
    assert (only.bars.num_rows, only.first_ms, only.unconfirmed_ms) == (0, START + HOUR, START + HOUR)


def test_a_daily_bar_of_utc_plus_8_is_refused() -> None:
    # What the venue sends when asked for 1D instead of 1Dutc.
    assert BARS[Interval.D1] == "1Dutc"
    asked = Span(parse_time("2024-01-01"), parse_time("2024-01-05"))
    for start, sound in (("2024-01-01T16:00", False), ("2024-01-01", True)):
        body = orjson.dumps({"code": "0", "msg": "", "data": [row(ts=str(parse_time(start)))]})
        if sound:
            assert parse_candles(body, Interval.D1, asked, "page").bars.num_rows == 1
        else:
            with pytest.raises(VenueProtocolError, match="open time off the 1d grid"):
                parse_candles(body, Interval.D1, asked, "page")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        pytest.param([row(10)], "not asked for", id="right after what was asked"),
        pytest.param([row(-1)], "not asked for", id="right before"),
        pytest.param([row(1), row(1), row(0)], "repeated", id="a row twice"),
        pytest.param([row(2), row(1), row(1), row(0)], "repeated", id="two pages that overlap"),
        pytest.param([row(0), row(1)], "out of order", id="oldest first"),
        pytest.param([row(2), row(0), row(1)], "out of order", id="out of order"),
        pytest.param([row(0, ts=str(START + 1))], "grid", id="off the grid"),
    ],
)
def test_duplicated_overlapping_and_misplaced_rows_are_refused(rows: object, problem: str) -> None:
    with pytest.raises(VenueProtocolError, match=rf"^OKX page: .*{problem}"):
        parse(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [row(0, ts=START)],
        [row(0, ts=f" {START}")],
        [row(0, ts=f"+{START}")],
        [row(0, ts=f"{START}.0")],
        [row(0, ts=hex(START))],
        [row(0, ts="1" * 5000)],
        [row(0, ts="١٧٠٥٤٢٠٨٠٠٠٠٠")],
        [row(0, ts="")],
        [row(0, open=8.5)],
        [row(0, open=None)],
        [row(0, vol_ccy=None)],
        [row(0, vol_ccy_quote=None)],
        [row(0, confirm=1)],
        [row(0, confirm=True)],
        [row(0, confirm="2")],
        [row(0, confirm="")],
        [row(0, open="")],
        [row(0, open="8,5")],
        [row(0, open="0x8")],
        [row(0, open="NaN")],
        [row(0, high="inf")],
        [row(0, high="1e999")],
        [row(0, low="-1")],
        [row(0, low="0")],
        [row(0, high="8.6")],
        [row(0, low="8.6")],
        [row(0, vol="-1")],
        [row(0, vol_ccy="nan")],
        [row(0)[:8]],
        [row(1), row(0)[:7]],
        [[*row(0), "more"]],
        [row(1), None],
        [{"ts": START}],
        [[]],
        ["x" * 9],
        [[[]] * 9],
        {},
        None,
        7,
    ],
)
def test_what_is_not_a_page_of_candles_is_refused(rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^OKX page: ") as caught:
        parse(rows)
    assert len(str(caught.value)) < 800


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


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"code":"0","data":[NaN]}'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    for read in (parse_instruments, parse_server_time):
        with pytest.raises(VenueProtocolError):
            read(body)
    with pytest.raises(VenueProtocolError):
        parse_candles(body, Interval.H1, SPAN, "page")


# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
numbers = st.sampled_from(["8.5", "9", "8", "0", "1", "-1", "nan", "inf", "", "1e400", "x"])
prices = st.floats(0.0001, 1e6).map(str)


@st.composite
def almost_rows(draw: st.DrawFn) -> list[Any]:
    """Rows shaped like real ones, newest first as a rule, of which a few cells were replaced."""
    indices = draw(st.lists(st.integers(-1, 10), max_size=6))
    if draw(st.booleans()):
        indices = sorted(set(indices), reverse=True)
    rows = []
    for index in indices:
        low, *body, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)), key=float)
        confirm = draw(st.sampled_from(["1", "1", "1", "0"]))
        rows.append(row(index, open=body[0], high=high, low=low, close=body[1], confirm=confirm))
    if rows:
        for _ in range(draw(st.integers(0, 1))):
            draw(st.sampled_from(rows))[draw(st.integers(0, 8))] = draw(json | numbers)
    return rows


@unhurried
@given(almost_rows())
def test_rows_like_real_ones_give_sound_bars_or_one_error(rows: list[Any]) -> None:
    try:
        candles = parse(rows)
    except VenueProtocolError:
        return
    assert check_klines(candles.bars, Interval.H1, "again") is candles.bars
    ascending = rows[::-1]
    assert all(int(cells[0]) in SPAN for cells in rows)
    assert candles.first_ms == (int(ascending[0][0]) if rows else None)
    confirmed = [cells[8] for cells in ascending]
    count = confirmed.index("0") if "0" in confirmed else len(rows)
    assert candles.unconfirmed_ms == (int(ascending[count][0]) if count < len(rows) else None)
    assert times_ms(candles) == [int(cells[0]) for cells in ascending[:count]]
    for name, index in {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 6}.items():
        assert candles.bars[name].to_pylist() == [float(cells[index]) for cells in ascending[:count]]


@unhurried
@given(json, st.booleans())
def test_any_json_gives_a_table_or_one_error(value: object, wrapped: bool) -> None:
    body = orjson.dumps({"code": "0", "data": value} if wrapped else value)
    for read in (
        lambda: parse_candles(body, Interval.H1, SPAN, "page"),
        lambda: parse_instruments(body),
        lambda: parse_server_time(body),
    ):
        try:
            read()
        except VenueError as error:
            assert type(error) is VenueProtocolError


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

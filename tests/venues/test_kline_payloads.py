"""Whatever an exchange sends for bars gives sound bars, rejects or one error: one suite for all formats."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.tables.klines import KLINES, check_klines, open_times_ms
from tests.kline_formats import BINANCE, GATE, HOUR, OKX, SPAN, START, KlineFormat
from tests.odd_json import ANY_JSON

FORMATS = [BINANCE, OKX, GATE]


def each(*forms: KlineFormat) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("form", forms, ids=[form.venue for form in forms])


BAD_NUMBERS = [
    ("open", ""),
    ("open", "8,5"),
    ("open", "0x8"),
    ("open", "NaN"),
    ("high", "inf"),
    ("high", "1e999"),
    ("high", "1e13"),
    ("low", "-1"),
    ("low", "0"),
    ("high", "8.6"),
    ("low", "8.6"),
    ("close", "9" * 5000),
    ("volume", "-1"),
    ("volume", "1e19"),
    ("quote_volume", "nan"),
    ("quote_volume", "-inf"),
    ("taker_volume", "-inf"),
    ("taker_quote_volume", "x"),
]
"""A column and its text, put into a bar with open 8.5, high 9, low 8 and close 8.75."""


@each(*FORMATS)
def test_an_empty_page(form: KlineFormat) -> None:
    found = form.read([])
    assert found.closed.bars.schema.equals(KLINES)
    assert (found.closed.rows, found.first_ms, found.open_ms) == (0, None, None)


@each(*FORMATS)
def test_numbers_are_the_nearest_floats(form: KlineFormat) -> None:
    odd = "0.1000000000000000055511151231257827021181583404541015625"
    row = form.row(low="1e-1", high="123456789012.12345678", volume=odd, quote_volume="-0.0")
    bars = form.read([row]).closed.bars
    assert bars["low"][0].as_py() == 0.1
    assert bars["high"][0].as_py() == float("123456789012.12345678")
    assert bars["volume"][0].as_py() == 0.1


@pytest.mark.parametrize(
    ("form", "items", "column", "text"),
    [
        pytest.param(form, items, column, text, id=f"{form.venue}-{items}-{column}-{text[:8]}")
        for form in FORMATS
        for items in range(form.least_items, len(form.columns) + 1)
        for column, text in BAD_NUMBERS
        if column in form.columns
    ],
)
def test_a_bar_whose_numbers_make_no_sense_is_set_apart(
    form: KlineFormat, items: int, column: str, text: str
) -> None:
    bad = form.row(1, **{column: text})
    rows = [form.row(0)[:items], bad[:items], form.row(2)[:items]]
    if form.says_closed:
        rows.append(form.row(3, closed=form.still_open))
    found = form.read(form.in_order(rows))
    assert open_times_ms(found.closed.bars).to_pylist() == [START, START + 2 * HOUR]
    (reject,) = found.closed.rejected
    assert reject.span == Span(START + HOUR, START + 2 * HOUR)
    assert orjson.loads(reject.payload)[:items] == bad[:items]
    assert len(reject.reason) < 800
    assert (found.closed.rows, found.closed.first_ms, found.closed.last_ms) == (3, START, START + 2 * HOUR)
    assert (found.first_ms, found.open_ms) == (START, START + 3 * HOUR if form.says_closed else None)


@each(*FORMATS)
@pytest.mark.parametrize(
    ("indexes", "problem"),
    [
        pytest.param([10], "not asked for", id="right after what was asked"),
        pytest.param([-1], "not asked for", id="right before"),
        pytest.param([0, 0], "repeated", id="a row twice"),
        pytest.param([0, 1, 1], "repeated", id="the last row twice"),
        pytest.param([0, 1, 1, 2], "repeated", id="two pages that overlap"),
        pytest.param([0, 2, 1], "out of order", id="the last two swapped"),
        pytest.param([1, 0, 2], "out of order", id="the first two swapped"),
        pytest.param([2, 0, 1], "out of order", id="the last row first"),
    ],
)
def test_duplicated_overlapping_and_misplaced_rows_are_refused(
    form: KlineFormat, indexes: list[int], problem: str
) -> None:
    rows = form.in_order([form.row(index) for index in indexes])
    with pytest.raises(VenueProtocolError, match=rf"^{form.source}: .*{problem}"):
        form.read(rows)


@each(BINANCE, OKX)
def test_rows_in_the_order_of_another_exchange_are_refused(form: KlineFormat) -> None:
    rows = form.in_order([form.row(0), form.row(1)])
    assert form.read(rows).closed.rows == 2
    with pytest.raises(VenueProtocolError, match="out of order"):
        form.read(rows[::-1])


@each(*FORMATS)
def test_a_bar_off_the_grid_is_refused(form: KlineFormat) -> None:
    with pytest.raises(VenueProtocolError, match=rf"^{form.source}: .*grid"):
        form.read([form.row(open_time=form.write_time(START + 1000))])


def assert_refused(form: KlineFormat, rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=rf"^{form.source}: ") as caught:
        form.read(rows)
    assert len(str(caught.value)) < 800


@each(*FORMATS)
@pytest.mark.parametrize("column", ["open", "quote_volume"])
@pytest.mark.parametrize("odd", [8.5, None, True, ["8.5"]])
def test_a_number_without_quotes_is_refused(form: KlineFormat, column: str, odd: object) -> None:
    assert_refused(form, [form.row(**{column: odd})])


@each(OKX, GATE)
@pytest.mark.parametrize(
    "spoil",
    [int, " {}".format, "+{}".format, "{}.0".format, "-{}".format, lambda text: hex(int(text))],
    ids=["no text", "blank", "plus", "fraction", "minus", "hexadecimal"],
)
def test_a_time_that_is_not_plain_digits_is_refused(
    form: KlineFormat, spoil: Callable[[object], object]
) -> None:
    assert_refused(form, [form.row(open_time=spoil(form.write_time(START)))])


@each(OKX, GATE)
@pytest.mark.parametrize("text", ["", "-1", "1" * 5000, "9" * 5000], ids=["none", "-1", "1...", "9..."])
def test_an_impossible_time_is_refused(form: KlineFormat, text: str) -> None:
    assert_refused(form, [form.row(open_time=text)])


@each(OKX, GATE)
def test_a_time_in_other_digits_is_refused(form: KlineFormat) -> None:
    arabic = str(form.write_time(START)).translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    assert int(arabic) == int(str(form.write_time(START)))
    assert_refused(form, [form.row(open_time=arabic)])


@each(OKX, GATE)
@pytest.mark.parametrize("odd", ["", "2", "maybe", "False", 0, 1, True, False, None])
def test_a_bar_neither_closed_nor_open_is_refused(form: KlineFormat, odd: object) -> None:
    assert_refused(form, [form.row(closed=odd)])


@each(*FORMATS)
def test_rows_of_other_lengths_are_refused(form: KlineFormat) -> None:
    short = form.row(1)[: form.least_items - 1]
    long = [*form.row(0), "more"]
    lists: list[Any] = [[]] * form.least_items
    pages: list[list[Any]] = [[short], [form.row(0), short], [long], [[]], [lists]]
    for rows in pages:
        assert_refused(form, form.in_order(rows))


@each(*FORMATS)
def test_what_is_no_list_of_rows_is_refused(form: KlineFormat) -> None:
    pages: list[object] = [[form.row(0), None], [{"open_time": START}], ["x" * form.least_items], {}, None, 7]
    for rows in pages:
        assert_refused(form, rows)


NO_JSON = [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'[["\\ud800"]]', b"[NaN]", b"[1",
           b'{"code":"0","data":[NaN]}']  # fmt: skip


@each(*FORMATS)
@pytest.mark.parametrize("body", NO_JSON, ids=[repr(body[:12]) for body in NO_JSON])
def test_what_is_not_json_is_refused(form: KlineFormat, body: bytes) -> None:
    for read in (form.read_body, *form.readers):
        with pytest.raises(VenueProtocolError, match="not JSON") as caught:
            read(body)
        assert len(str(caught.value)) < 800


# ------------------------------------------------------------------------------------------------- fuzz

# A busy machine is no failure.
unhurried = settings(suppress_health_check=[HealthCheck.too_slow])

numbers = st.sampled_from(
    ["8.5", "9", "8", "0", "1", "-1", "nan", "inf", "", "1e400", "x", "true", "false"]
) | st.floats().map(str)
prices = st.floats(0.0001, 1e6).map(str)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers


@st.composite
def almost_rows(draw: st.DrawFn, form: KlineFormat) -> list[Any]:
    """Rows shaped like real ones, as a rule in their order, of which a few cells were replaced."""
    ascending = st.lists(st.integers(0, 9), max_size=6, unique=True).map(sorted)
    rows = []
    for index in draw(ascending | st.lists(st.integers(-1, 11), max_size=6)):
        low, *body, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)), key=float)
        row = form.row(index, open=body[0], high=high, low=low, close=body[1])
        if form.says_closed and draw(st.integers(0, 3)) == 0:
            row[-1] = form.still_open
        rows.append(row[: draw(st.integers(form.least_items, len(row)))])
    rows = form.in_order(rows)
    if form.step is None and draw(st.booleans()):
        rows.reverse()
    if rows:
        for _ in range(draw(st.integers(0, 2))):
            row = draw(st.sampled_from(rows))
            row[draw(st.integers(0, len(row) - 1))] = draw(ANY_JSON | numbers)
    return rows


@each(*FORMATS)
@unhurried
@given(data=st.data())
def test_rows_like_real_ones_give_sound_bars_or_one_error(form: KlineFormat, data: st.DataObject) -> None:
    rows = data.draw(almost_rows(form))
    try:
        found = form.read(rows)
    except VenueProtocolError:
        return
    bars = found.closed.bars
    assert check_klines(bars, Interval.H1, "again") is bars
    ascending = sorted(rows, key=form.open_ms)
    assert rows == form.in_order(ascending) or (form.step is None and rows == ascending[::-1])
    times_ms = [form.open_ms(row) for row in ascending]
    assert all(open_ms in SPAN for open_ms in times_ms)
    closed = next((at for at, row in enumerate(ascending) if form.is_open(row)), len(rows))
    assert (found.first_ms, found.open_ms) == (
        times_ms[0] if rows else None,
        times_ms[closed] if closed < len(rows) else None,
    )
    bad = {reject.span.start_ms for reject in found.closed.rejected}
    sound = [row for row in ascending[:closed] if form.open_ms(row) not in bad]
    assert len(bad) + len(sound) == found.closed.rows == closed
    assert open_times_ms(bars).to_pylist() == [form.open_ms(row) for row in sound]
    for name in form.numbers:
        assert bars[name].to_pylist() == [float(form.cell(row, name)) for row in sound]


@each(*FORMATS)
@unhurried
@given(data=st.data(), is_wrapped=st.booleans())
def test_any_json_gives_a_table_or_one_error(
    form: KlineFormat, data: st.DataObject, is_wrapped: bool
) -> None:
    cells = st.lists(ANY_JSON | scalars, min_size=form.least_items, max_size=len(form.columns))
    value = data.draw(ANY_JSON | st.lists(cells, max_size=2))
    body = form.body(value) if is_wrapped else orjson.dumps(value)
    for read in (form.read_body, *form.readers):
        try:
            read(body)
        except VenueError as error:
            assert type(error) is VenueProtocolError

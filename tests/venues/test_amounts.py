"""Amounts are exact or refused, whatever a venue writes."""

import decimal
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.tables.records import AMOUNT
from markethub.venues.transport.amounts import read_amount, read_amounts

_EXACT = decimal.Context(prec=400)
_UNITS = Decimal(10) ** 18


def read(*texts: object) -> list[Decimal | None]:
    column = read_amounts(texts, "size", "page")
    assert column.type == AMOUNT
    values: list[Decimal | None] = column.to_pylist()
    return values


def test_text_becomes_the_same_number() -> None:
    assert read("731.4408150962", "-0.00000031977", "0", "25") == [
        Decimal("731.4408150962"),
        Decimal("-0.00000031977"),
        Decimal(0),
        Decimal(25),
    ]


def test_no_text_is_null_and_no_rows_are_an_empty_column() -> None:
    assert read("", "1", "") == [None, Decimal(1), None]
    assert read() == []


def test_the_largest_and_the_smallest_amount() -> None:
    largest = "99999999999999999999.999999999999999999"
    assert read(largest, f"-{largest}", "0.000000000000000001") == [
        Decimal(largest),
        Decimal(f"-{largest}"),
        Decimal("1e-18"),
    ]


@pytest.mark.parametrize("text", ["1e-8", "1E-18", "1.50e3", "12e18", "0e999"])
def test_an_exponent_is_a_number(text: str) -> None:
    assert read(text, "1.5") == [Decimal(text), Decimal("1.5")]


def test_zeros_at_the_end_and_the_start_do_not_count() -> None:
    assert read("1." + "0" * 30, "0" * 30 + "7.5") == [Decimal(1), Decimal("7.5")]


@pytest.mark.parametrize(
    "text",
    [
        # each is made into another number by Arrow's own cast, without an error
        "955500995191951990050.505900000000000000",
        "510109915051595000510.5100051059950100000",
        "55019915955100090955.05901909505001919501e2",
        "100000000000000000000",
        "1e20",
        "0.0000000000000000001",
        "1.0000000000000000001",
        "1e-19",
    ],
)
def test_more_digits_than_the_column_has_are_refused(text: str) -> None:
    with pytest.raises(VenueProtocolError, match=r"^page: size '.*' needs more than 20 digits"):
        read("1", text)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-inf",
        "1_0",
        " 1",
        "1 ",
        "1\n",
        "+1",
        ".5",
        "1.",
        "-",
        "0x1",
        "٣",
        "1,5",
        "1e",
        "e1",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(VenueProtocolError, match="page: size"):
        read("1", text)


@pytest.mark.parametrize("odd", [1, 1.5, None, True, [], {}, b"1"])
def test_what_is_no_text_is_refused(odd: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"page: size .* is not"):
        read("1", odd)
    with pytest.raises(VenueProtocolError, match=r"page: size .* is not"):
        read_amount(odd, "size", "page")


_DIGITS = st.text("0159", min_size=1, max_size=26)
_WRITTEN = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    _DIGITS,
    st.just("") | st.builds(".{}{}".format, _DIGITS, st.sampled_from(["", "0" * 9])),
    st.just("") | st.builds("e{}".format, st.integers(-30, 30)),
)


@example(["50000000000000.0000000000000000000000000"])  # more decimals than are kept, all of them 0
@given(st.lists(_WRITTEN, min_size=1, max_size=4))
def test_amounts_are_exactly_what_was_written_or_refused(texts: list[str]) -> None:
    exact = [_EXACT.multiply(Decimal(text), _UNITS) for text in texts]
    fits = all(abs(units) < 10**38 and units == units.to_integral_value(context=_EXACT) for units in exact)
    try:
        found = read(*texts)
    except VenueProtocolError:
        assert not fits
    else:
        assert fits
        assert found == [Decimal(text) for text in texts]


@given(st.lists(st.text(max_size=12) | st.none() | st.integers() | st.floats(), max_size=3))
def test_anything_else_gives_decimals_or_one_error(texts: list[object]) -> None:
    try:
        found = read_amounts(texts, "size", "page")
    except VenueProtocolError:
        return
    assert isinstance(found, pa.Array)
    assert found.null_count == texts.count("")

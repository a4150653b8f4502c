"""What every table of records promises, the check of their rows, and the tables of the catalog."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.support import DataKind
from markethub.tables.catalog import RECORD_TABLES, TABLE_OF
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import AMOUNT, TIME, RecordTable, check_records, times_ms
from markethub.tables.rejects import REJECTS
from markethub.tables.symbols import FACTS, LISTING, SYMBOLS
from markethub.tables.tickers import TICKERS

each_table = pytest.mark.parametrize("table", RECORD_TABLES.values(), ids=lambda table: table.name)

PAIRS = RecordTable(
    name="pairs",
    schema=pa.schema(
        [
            pa.field("left", pa.string(), nullable=False),
            pa.field("right", pa.int64(), nullable=False),
            pa.field("time", TIME, nullable=False),
            pa.field("amount", AMOUNT),
        ]
    ),
    key=("left", "right"),
    time="time",
    owner="left",
)


def pairs(*keys: tuple[str | None, int | None], **columns: list[Any]) -> pa.Table:
    values: dict[str, list[Any]] = {
        "left": [left for left, _ in keys],
        "right": [right for _, right in keys],
        "time": [0] * len(keys),
        "amount": [None] * len(keys),
    }
    values |= columns
    return pa.table(
        {field.name: pa.array(values[field.name], field.type) for field in PAIRS.schema}, PAIRS.schema
    )


@each_table
def test_columns_that_a_table_names_are_there_and_never_null(table: RecordTable) -> None:
    assert table.key
    for name in (*table.key, table.time, table.owner):
        assert not table.schema.field(name).nullable, name
    assert table.schema.field(table.time).type == TIME
    assert table.schema.field(table.owner).type == pa.string()
    assert table.owner in table.key
    assert len(set(table.schema.names)) == len(table.schema)
    assert "revision" not in table.schema.names, "the store's own column"


@each_table
def test_amounts_of_the_ledger_are_no_floats(table: RecordTable) -> None:
    has_floats = any("double" in str(field.type) for field in table.schema)
    assert has_floats == (table in (TICKERS, ORDERBOOKS))


def test_the_catalog_has_every_kind_but_bars() -> None:
    assert set(TABLE_OF) == set(DataKind) - {DataKind.KLINE}
    assert set(RECORD_TABLES.values()) == {*TABLE_OF.values(), REJECTS}
    assert {name: table.name for name, table in RECORD_TABLES.items()} == {
        name: name for name in RECORD_TABLES
    }
    assert len(RECORD_TABLES) == len(TABLE_OF) + 1


def test_a_listing_has_the_facts_of_the_versions() -> None:
    assert tuple(LISTING.names) == ("symbol", *FACTS)
    assert [SYMBOLS.schema.field(name) for name in LISTING.names] == list(LISTING)


def test_an_empty_table_has_the_schema() -> None:
    assert PAIRS.empty().schema.equals(PAIRS.schema)
    assert len(PAIRS.empty()) == 0


def test_times_are_milliseconds() -> None:
    rows = pairs(("a", 1), ("a", 2), time=[-5, 1_609_459_200_123])
    assert times_ms(rows, "time").to_pylist() == [-5, 1_609_459_200_123]


def test_sound_rows_pass_as_they_are() -> None:
    for rows in (
        PAIRS.empty(),
        pairs(("a", 1)),
        pairs(("b", 2), ("b", 1), ("a", 2), amount=[Decimal("1e-18"), None, Decimal(-1)]),
        pa.concat_tables([pairs(("a", 1)), pairs(("a", 2))]),
    ):
        assert check_records(rows, PAIRS, "page") is rows


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (pairs(("a", 1)).drop_columns(["amount"]), r"page 3: columns .* are not those of pairs"),
        (pairs(("a", 1)).select(["right", "left", "time", "amount"]), "columns"),
        (pairs(("a", 1)).cast(pa.schema([field.with_nullable(True) for field in PAIRS.schema])), "columns"),
        (pairs(("a", 1), (None, 1)), "page 3: a row of pairs has no left"),
        (pairs(("a", None)), "a row of pairs has no right"),
        (pairs(("a", 1), time=[None]), "a row of pairs has no time"),
        (pairs(("a", 1), ("b", 1), ("a", 1)), r"pairs has \{'left': 'a', 'right': 1\} more than once"),
        (pa.concat_tables([pairs(("a", 1)), pairs(("a", 1))]), "more than once"),
    ],
)
def test_rows_that_may_not_be_stored(rows: pa.Table, problem: str) -> None:
    with pytest.raises(VenueProtocolError, match=problem):
        check_records(rows, PAIRS, "page 3")


@given(st.lists(st.tuples(st.sampled_from(["", "a", "ab"]), st.integers(0, 3)), max_size=8))
def test_rows_pass_exactly_if_no_key_is_there_twice(keys: list[tuple[str, int]]) -> None:
    rows = pairs(*keys)
    if len(set(keys)) == len(keys):
        assert check_records(rows, PAIRS, "page") is rows
    else:
        with pytest.raises(VenueProtocolError, match="more than once"):
            check_records(rows, PAIRS, "page")

"""Rows kept out of the data: how they are found, and what is kept of them."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.tables.records import check_records
from markethub.tables.rejects import LONGEST_PAYLOAD, REJECTS, Reject, split_rows, tabulate_rejects

FLAGS = st.lists(st.booleans(), min_size=5, max_size=5)


def table_of(count: int) -> pa.Table:
    return pa.table({"number": list(range(count))})


@given(st.lists(FLAGS, max_size=4), st.booleans())
def test_rows_are_parted_by_the_first_problem_of_each(problems: list[list[bool]], is_chunked: bool) -> None:
    rows = table_of(5)
    named = [
        (f"problem {number}", pa.chunked_array([flags[:2], flags[2:]]) if is_chunked else pa.array(flags))
        for number, flags in enumerate(problems)
    ]
    good, bad = split_rows(rows, named)
    expected = [
        (position, next(f"problem {number}" for number, flags in enumerate(problems) if flags[position]))
        for position in range(5)
        if any(flags[position] for flags in problems)
    ]
    assert bad == expected
    bad_positions = {position for position, _ in expected}
    assert good.column("number").to_pylist() == [place for place in range(5) if place not in bad_positions]
    if not expected:
        assert good is rows


def test_a_table_without_rows_has_no_bad_ones() -> None:
    rows = table_of(0)
    assert split_rows(rows, [("problem", pa.array([], pa.bool_()))]) == (rows, [])


def test_rejects_are_rows_of_their_table() -> None:
    rejects = [
        Reject("first", Span(1000, 2000), "price is 0", "[1, 0]"),
        Reject("second", Span(3000, 4000), "time off the grid", "x" * (LONGEST_PAYLOAD + 5)),
    ]
    rows = tabulate_rejects(DataKind.FILL, "OKX_MM01", rejects, "rest", 9000)
    assert check_records(rows, REJECTS, "rejects").to_pydict() == {
        "kind": ["fill", "fill"],
        "owner": ["OKX_MM01"] * 2,
        "key": ["first", "second"],
        "reason": ["price is 0", "time off the grid"],
        "payload": ["[1, 0]", "x" * LONGEST_PAYLOAD],
        "source": ["rest", "rest"],
        "time": pa.array([1000, 3000], REJECTS.schema.field("time").type).to_pylist(),
        "seen_time": pa.array([9000, 9000], REJECTS.schema.field("seen_time").type).to_pylist(),
    }


def test_of_equal_keys_the_last_reject_counts() -> None:
    rejects = [Reject("same", Span(0, 1), reason, "") for reason in ("first", "second")]
    rows = tabulate_rejects(DataKind.KLINE, "BTC_USDT.BNC 1m", rejects, "rest", 0)
    assert rows.column("reason").to_pylist() == ["second"]
    assert tabulate_rejects(DataKind.KLINE, "x", [], "rest", 0).equals(REJECTS.empty())

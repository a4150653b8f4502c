"""Printed rows are what Python would print one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from markethub.sandbox.bars import Bars, no_bars
from markethub.sandbox.rows import CSV_ROWS, JSON_ROWS, print_e8, print_rows

AMOUNTS = st.one_of(
    st.integers(0, 9_200_000_000_000_000_000),
    st.sampled_from([0, 1, 9, 10, 9_999, 10_000, 99_999_999, 100_000_000, 10**12, 10**16, 10**18]),
)
TIMES = st.integers(1_500_000_000_000, 1_900_000_000_000)


@st.composite
def some_bars(draw: st.DrawFn) -> Bars:
    opens = sorted(draw(st.lists(TIMES, min_size=1, max_size=6, unique=True)))
    columns = [opens] + [draw(st.lists(AMOUNTS, min_size=len(opens), max_size=len(opens))) for _ in range(9)]
    return Bars(np.array(columns, dtype=np.int64))


def expected_fields(bars: Bars, at: int, width_ms: int, unit: int) -> list[str]:
    values = [int(value) for value in bars.columns[:, at]]
    decimals = [f"{value // 10**8}.{value % 10**8:08d}" for value in values]
    opened, closed = values[0] * unit, (values[0] + width_ms) * unit - 1
    return [str(opened), *decimals[1:6], str(closed), decimals[6], str(values[7]), *decimals[8:], "0"]


@given(some_bars(), st.booleans())
def test_csv_rows(bars: Bars, microseconds: bool) -> None:
    unit = 1000 if microseconds else 1
    printed = print_rows(bars, 60_000, CSV_ROWS, microseconds=microseconds)
    wanted = [",".join(expected_fields(bars, at, 60_000, unit)) + "\n" for at in range(len(bars))]
    assert printed.text.decode() == "".join(wanted)


@given(some_bars())
def test_json_rows_can_be_cut_anywhere(bars: Bars) -> None:
    printed = print_rows(bars, 3_600_000, JSON_ROWS)
    wanted = []
    for at in range(len(bars)):
        fields = expected_fields(bars, at, 3_600_000, 1)
        quoted = [text if place in (0, 6, 8) else f'"{text}"' for place, text in enumerate(fields)]
        wanted.append(f"[{','.join(quoted)}],")
    for low in range(len(bars)):
        for high in range(low, len(bars) + 1):
            assert printed.rows(low, high).decode() == "".join(wanted[low:high])


def test_no_bars_print_as_nothing() -> None:
    assert print_rows(no_bars(), 60_000, JSON_ROWS).text == b""


@given(st.integers(0, 10**18))
def test_one_amount(amount: int) -> None:
    assert print_e8(amount) == f"{amount // 10**8}.{amount % 10**8:08d}"

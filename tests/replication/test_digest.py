import hashlib
import random
import struct
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.ports.store import Coverage
from markethub.replication.digest import digest_series, digest_store
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import KLINES
from markethub.testing.store_contract import BTC, DAY_MS, ETH, T0, bars_at, minute_span, minutes, times_of

DAYS = Series(Symbol.parse("BTC_USDT.BNC"), Interval.D1)
numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0), st.just(0.0))


def store_with(*parts: tuple[Series, pa.Table]) -> MemorySeriesStore:
    store = MemorySeriesStore()
    for series, bars in parts:
        store.upsert(series, bars).result()
    return store


@st.composite
def daily_bars(draw: st.DrawFn) -> pa.Table:
    days = sorted(draw(st.sets(st.integers(-400, 400), min_size=1, max_size=40)))
    columns: dict[str, Any] = {}
    for field in KLINES:
        if field.name != "open_time":
            is_whole = field.type == pa.int64()
            value: st.SearchStrategy[Any] = st.integers(-(2**63), 2**63 - 1) if is_whole else numbers
            if field.nullable:
                value |= st.none()
            columns[field.name] = draw(st.lists(value, min_size=len(days), max_size=len(days)))
    return bars_at([day * DAY_MS for day in days], **columns)


@settings(max_examples=40)
@given(daily_bars(), st.randoms(use_true_random=False))
def test_the_way_bars_came_in_does_not_count(bars: pa.Table, order: random.Random) -> None:
    cuts = sorted(order.sample(range(len(bars) + 1), min(3, len(bars))))
    parts = [bars.slice(low, high - low) for low, high in pairwise([0, *cuts, len(bars)])]
    order.shuffle(parts)
    first_tries = bars_at(times_of(bars.slice(len(bars) // 2)), 5.0)
    store = store_with((DAYS, first_tries), *((DAYS, part) for part in parts))
    direct = store_with((DAYS, bars))
    assert digest_series(store, DAYS) == digest_series(direct, DAYS)
    assert digest_store(store) == digest_store(direct)


@settings(max_examples=40)
@given(daily_bars(), st.data())
def test_one_different_value_shows_in_its_month_only(bars: pa.Table, data: st.DataObject) -> None:
    rows = bars.to_pylist()
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(KLINES.names[1:]))
    rows[place][name] = 12345 if rows[place][name] != 12345 else 54321
    one = digest_series(store_with((DAYS, bars)), DAYS)
    other = digest_series(store_with((DAYS, pa.Table.from_pylist(rows, schema=KLINES))), DAYS)
    different = [month for month in one if one[month] != other[month]]
    assert different == [f"{rows[place]['open_time']:%Y-%m}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"quote_volume": [None]}, {"quote_volume": [0.0]}),
        ({"trades": [None]}, {"trades": [0]}),
        ({"taker_volume": [None], "quote_volume": [1.0]}, {"taker_volume": [1.0], "quote_volume": [None]}),
    ],
)
def test_null_is_not_zero(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest_store(store_with((BTC, bars_at([T0], **one)))) != digest_store(
        store_with((BTC, bars_at([T0], **other)))
    )


def test_minus_zero_is_zero() -> None:
    minus, plus = (store_with((BTC, bars_at([T0], volume=[zero]))) for zero in (-0.0, 0.0))
    assert digest_store(minus) == digest_store(plus)


def test_revisions_and_coverage_do_not_count() -> None:
    plain = store_with((BTC, bars_at(minutes(0, 5))))
    busy = store_with((BTC, bars_at(minutes(0, 5), 7.0)), (BTC, bars_at(minutes(0, 5))))
    busy.upsert(ETH, bars_at([]), [Coverage(minute_span(0, 5), "rest", T0)]).result()
    assert digest_store(plain) == digest_store(busy)


def test_series_and_time_count() -> None:
    digests = {
        digest_store(store)
        for store in (
            store_with(),
            store_with((BTC, bars_at([T0]))),
            store_with((ETH, bars_at([T0]))),
            store_with((BTC, bars_at([T0])), (ETH, bars_at([T0]))),
            store_with((BTC, bars_at([T0 + 60_000], **_values_at(T0)))),
        )
    }
    assert len(digests) == 5


def test_months_are_utc_and_empty_ones_left_out() -> None:
    january_end = 1_612_137_540_000  # 2021-01-31T23:59
    times = [january_end, january_end + 60_000, january_end + 400 * DAY_MS]
    assert list(digest_series(store_with((BTC, bars_at(times))), BTC)) == ["2021-01", "2021-02", "2022-03"]
    assert digest_series(store_with(), BTC) == {}


def test_the_last_month_that_can_be_stored() -> None:
    assert list(digest_series(store_with((DAYS, bars_at([253_402_300_800_000 - DAY_MS]))), DAYS)) == [
        "9999-12"
    ]


def test_the_digest_is_what_its_description_says() -> None:
    """Fixed for good: another engine, or the next release, must come to the same."""
    bars = bars_at([T0], 1.0, **{name: [1] for name in KLINES.names[1:]} | {"trades": [None]})
    assert digest_series(store_with((BTC, bars)), BTC) == {"2021-01": EXPECTED}


def _values_at(time_ms: int) -> dict[str, list[Any]]:
    return {name: column for name, column in bars_at([time_ms]).to_pydict().items() if name != "open_time"}


def _expected() -> str:
    one = struct.pack("<d", 1.0)
    body = struct.pack("<q", 1) + struct.pack("<q", T0) + one * 5 + b"\0" + one + b"\1" + struct.pack("<q", 0)
    return hashlib.blake2b(body + b"\0" + one + b"\0" + one, digest_size=32).hexdigest()


EXPECTED = _expected()

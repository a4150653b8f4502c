"""Made-up bars: the same everywhere, sane, and agreeing with themselves."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox.bars import aggregate, join_bars
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.synthetic import MINUTE_MS, minute_bars, seed_of

CATALOG = SymbolCatalog(generated_symbols=3)
ROOTS = sorted(CATALOG.by_root)
MADE_UP = Market(7, CATALOG, Recordings([]))
SPAN = Span(parse_time("2022-03-01"), parse_time("2022-03-08"))
_DIGEST = """
import hashlib
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.synthetic import minute_bars, seed_of
listing = SymbolCatalog().by_root["ETH_USDT"]
bars = minute_bars(seed_of(7, listing), listing, 27_000_000, 50_000)
print(hashlib.sha256(bars.columns.tobytes()).hexdigest())
"""


def test_another_process_makes_up_the_same_bars() -> None:
    listing = CATALOG.by_root["ETH_USDT"]
    here = minute_bars(seed_of(7, listing), listing, 27_000_000, 50_000).columns.tobytes()
    there = subprocess.run([sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()


@given(
    root=st.sampled_from(ROOTS),
    first=st.integers(24_000_000, 30_000_000),
    count=st.integers(1, 40_000),
    data=st.data(),
)
def test_a_bar_does_not_depend_on_the_range_it_was_asked_in(
    root: str, first: int, count: int, data: st.DataObject
) -> None:
    listing = CATALOG.by_root[root]
    seed = seed_of(7, listing)
    whole = minute_bars(seed, listing, first, count)
    at = data.draw(st.integers(0, count - 1))
    length = data.draw(st.integers(1, min(50, count - at)))
    part = minute_bars(seed, listing, first + at, length)
    assert np.array_equal(part.columns, whole.columns[:, at : at + length])


@pytest.mark.parametrize("root", ROOTS)
def test_bars_are_sane_and_on_the_pairs_grid(root: str) -> None:
    listing = CATALOG.by_root[root]
    first = listing.listed_ms // MINUTE_MS
    bars = minute_bars(seed_of(7, listing), listing, first, 20_000).columns
    open_ms, opened, high, low, closed, volume, quote, trades, taker, taker_quote = bars
    assert (np.diff(open_ms) == MINUTE_MS).all()
    assert (low >= listing.tick_e8).all()
    assert (low <= np.minimum(opened, closed)).all()
    assert (np.maximum(opened, closed) <= high).all()
    assert not (bars[1:5] % listing.tick_e8).any()
    assert not (bars[[5, 8]] % listing.lot_e8).any()
    assert (volume > 0).all()
    assert ((taker >= 0) & (taker <= volume)).all()
    assert ((trades >= 1) & (trades <= volume // listing.lot_e8)).all()
    mean = quote / (volume / 1e8)
    assert ((low - 1 <= mean) | (volume < listing.lot_e8 * 2)).all()
    assert (mean <= high + 1 + 1e8 / volume).all()
    assert (taker_quote <= quote).all()
    assert (opened[1:] == closed[:-1]).all(), "a minute opens where the last one closed"
    assert len(np.unique(closed)) > 3, "the price moves"


@pytest.mark.parametrize("interval", [name for name in WIDTHS_MS if name != "1m"])
def test_every_interval_is_its_minutes_added_up(interval: str) -> None:
    listing = CATALOG.by_root["SOL_USDT"]
    minutes = MADE_UP.bars(listing, "1m", SPAN)
    coarse = MADE_UP.bars(listing, interval, SPAN)
    assert len(coarse) == SPAN.width_ms // WIDTHS_MS[interval]
    assert np.array_equal(coarse.columns, aggregate(minutes, WIDTHS_MS[interval]).columns)


def test_pairs_and_seeds_differ() -> None:
    closes = {
        (seed, root): tuple(
            Market(seed, CATALOG, Recordings([])).bars(CATALOG.by_root[root], "1h", SPAN).columns[4]
        )
        for seed in (7, 8)
        for root in ("SIM0001_USDT", "SIM0002_USDT", "ETH_USDT")
    }
    assert len(set(closes.values())) == len(closes)


def test_nothing_before_the_listing_nor_after_the_end() -> None:
    waves = CATALOG.by_root["WAVES_USDT"]
    assert waves.delisted_ms is not None
    around_start = Span(waves.listed_ms - 3_600_000, waves.listed_ms + 3_600_000)
    assert MADE_UP.bars(waves, "1m", around_start).open_ms[0] == waves.listed_ms
    around_end = Span(waves.delisted_ms - 3_600_000, waves.delisted_ms + 3_600_000)
    assert MADE_UP.bars(waves, "1m", around_end).open_ms[-1] == waves.delisted_ms - MINUTE_MS
    # The day of the listing has a daily bar, which opens at midnight, before the first trade.
    day = waves.listed_ms // 86_400_000 * 86_400_000
    assert list(MADE_UP.bars(waves, "1d", Span(day - 86_400_000, day + 86_400_000)).open_ms) == [day]


def test_years_of_prices_stay_in_reach_of_the_usual_price() -> None:
    for root in ("BTC_USDT", "ADA_BTC", "USDC_USDT", "SIM0001_USDT"):
        listing = CATALOG.by_root[root]
        days = (
            MADE_UP.bars(listing, "1d", Span(parse_time("2021-01-01"), parse_time("2025-01-01"))).columns[4]
            / 1e8
        )
        assert days.min() > listing.price / 8
        assert days.max() < listing.price * 8
        if root == "USDC_USDT":
            assert 0.98 < days.min() <= days.max() < 1.02


@given(st.lists(st.integers(0, 500), unique=True, min_size=1).map(sorted), st.sampled_from([2, 3, 5, 60]))
def test_adding_up_skips_empty_buckets_and_keeps_sums(minutes: list[int], factor: int) -> None:
    listing = CATALOG.by_root["ETH_USDT"]
    seed = seed_of(7, listing)
    bars = join_bars(minute_bars(seed, listing, 27_000_000 + minute, 1) for minute in minutes)
    width_ms = factor * MINUTE_MS
    coarse = aggregate(bars, width_ms)
    buckets = sorted({(27_000_000 + minute) // factor for minute in minutes})
    assert list(coarse.open_ms) == [bucket * width_ms for bucket in buckets]
    assert np.array_equal(coarse.columns[5:].sum(axis=1), bars.columns[5:].sum(axis=1))
    for at, bucket in enumerate(buckets):
        inside = bars.cut(bucket * width_ms, (bucket + 1) * width_ms).columns
        wanted = [inside[1, 0], inside[2].max(), inside[3].min(), inside[4, -1]]
        assert list(coarse.columns[1:5, at]) == wanted

"""Every bar of every listed pair: recorded where there is a recording, made up everywhere else."""

from functools import lru_cache

from markethub.domain.span import Span, span_or_none, subtract
from markethub.sandbox.bars import Bars, aggregate, grow, join_bars, no_bars
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.listings import Listing, SymbolCatalog
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.synthetic import MINUTE_MS, minute_bars, seed_of


class Market:
    """What happened and will happen, independent of the clock; thread-safe, as it never changes."""

    def __init__(self, seed: int, catalog: SymbolCatalog, recordings: Recordings) -> None:
        self.catalog = catalog
        self.recordings = recordings
        self._seed = seed

    def bars(self, listing: Listing, interval: str, span: Span) -> Bars:
        """The finished bars that open in ``span``, ascending; ``span`` must lie on the interval's grid.

        Inside a recording's span its rows are the only ones, holes and all.
        """
        parts: list[tuple[int, Bars]] = []
        real: list[Span] = []
        for recording in self.recordings.of(listing.root, interval):
            if common := span.intersect(recording.span):
                real.append(common)
                parts.append((common.start_ms, recording.bars.cut(common.start_ms, common.end_ms)))
        parts += [
            (free.start_ms, self._make_up(listing, WIDTHS_MS[interval], free))
            for free in subtract(span, real)
        ]
        return join_bars(bars for _, bars in sorted(parts, key=lambda part: part[0]))

    def open_bar(self, listing: Listing, interval: str, now_ms: int) -> Bars:
        """The bar still forming at ``now_ms``: one row, or none when the pair does not trade or in a hole."""
        if not listing.listed_ms <= now_ms < (listing.delisted_ms or now_ms + 1):
            return no_bars()
        width_ms = WIDTHS_MS[interval]
        open_ms = now_ms // width_ms * width_ms
        if any(open_ms in recording.span for recording in self.recordings.of(listing.root, interval)):
            whole = self.bars(listing, interval, Span(open_ms, open_ms + width_ms))
            return self._grow(listing, whole, (now_ms - open_ms) / width_ms)
        minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        past = span_or_none(open_ms, minute_ms)
        minute = self._make_up(listing, MINUTE_MS, Span(minute_ms, minute_ms + MINUTE_MS))
        minutes = [
            no_bars() if past is None else self._make_up(listing, MINUTE_MS, past),
            self._grow(listing, minute, (now_ms - minute_ms) / MINUTE_MS),
        ]
        return aggregate(join_bars(minutes), width_ms)

    @staticmethod
    def _grow(listing: Listing, bar: Bars, fraction: float) -> Bars:
        return grow(bar, fraction, listing.tick_e8, listing.lot_e8)

    def _make_up(self, listing: Listing, width_ms: int, span: Span) -> Bars:
        trading_end_ms = span.end_ms if listing.delisted_ms is None else min(span.end_ms, listing.delisted_ms)
        # A pair listed at 04:00 has a first daily bar that opens at midnight and holds 20 hours.
        first = max(span.start_ms, listing.listed_ms) // MINUTE_MS
        count = trading_end_ms // MINUTE_MS - first
        if count <= 0:
            return no_bars()
        minutes = minute_bars(_pair_seed(self._seed, listing), listing, first, count)
        return minutes if width_ms == MINUTE_MS else aggregate(minutes, width_ms)


@lru_cache(maxsize=16_384)
def _pair_seed(seed: int, listing: Listing) -> int:
    return seed_of(seed, listing)

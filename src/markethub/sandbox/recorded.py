"""The real bars that ship with the sandbox, and which spans of which series they rule."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.times import format_time
from markethub.sandbox.bars import CLOSE, E8, OPEN, QUOTE, VOLUME, Bars, aggregate
from markethub.sandbox.intervals import WIDTHS_MS

RECORDINGS_DIR: Final = Path(__file__).parent / "recordings"
_COLUMNS: Final = (
    "open_ms",
    "open_e8",
    "high_e8",
    "low_e8",
    "close_e8",
    "volume_e8",
    "quote_e8",
    "trades",
    "taker_e8",
    "taker_quote_e8",
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a recording comes from: the original file, its sha256, who published it, and what it lacked."""

    original: str
    sha256: str
    source: str
    licence: str
    made_up_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Real bars of one series. Inside ``span`` they are all there is: a missing bar is a real hole.

    ``added_up_from`` names the recorded interval when these bars were aggregated, else it is None.
    """

    root: str
    interval: str
    span: Span
    bars: Bars
    provenance: Provenance
    added_up_from: str | None = None

    def holes(self) -> list[Span]:
        """The runs of missing bars between the first and the last one, ascending."""
        width_ms = WIDTHS_MS[self.interval]
        opens = self.bars.open_ms
        gaps = np.flatnonzero(np.diff(opens) > width_ms)
        return [Span(int(opens[at]) + width_ms, int(opens[at + 1])) for at in gaps]

    def describe(self) -> dict[str, object]:
        """The entry of this recording in ``GET /sandbox/recordings``."""
        width_ms = WIDTHS_MS[self.interval]
        return {
            "symbol": self.root,
            "interval": self.interval,
            "start": format_time(self.span.start_ms),
            "end": format_time(self.span.end_ms),
            "bars": len(self.bars),
            "added_up_from": self.added_up_from,
            "holes": [
                {"start": format_time(hole.start_ms), "bars": hole.width_ms // width_ms}
                for hole in self.holes()
            ],
            "original": self.provenance.original,
            "sha256": self.provenance.sha256,
            "source": self.provenance.source,
            "licence": self.provenance.licence,
            "made_up_columns": list(self.provenance.made_up_columns),
        }


class Recordings:
    """All recordings, also added up to the coarser intervals where nothing better is recorded.

    Recordings of one series never overlap.
    """

    def __init__(self, originals: Iterable[Recording]) -> None:
        by_series: dict[tuple[str, str], list[Recording]] = defaultdict(list)
        for recording in originals:
            by_series[recording.root, recording.interval].append(recording)
        # From the widest down: an hour is added up from half hours before minutes are asked.
        for base in sorted(
            (recording for found in by_series.values() for recording in found),
            key=lambda recording: -WIDTHS_MS[recording.interval],
        ):
            for interval in _coarser(base.interval):
                series = by_series[base.root, interval]
                series.extend(_add_up(base, interval, [other.span for other in series]))
        self._by_series = {
            key: sorted(found, key=lambda recording: recording.span)
            for key, found in sorted(by_series.items(), key=lambda item: (item[0][0], WIDTHS_MS[item[0][1]]))
            if found
        }

    @classmethod
    def load(cls) -> "Recordings":
        """Those that ship with the package; read once per process."""
        return cls(_read_package())

    def of(self, root: str, interval: str) -> Sequence[Recording]:
        """The recordings of one series, ascending."""
        return self._by_series.get((root, interval), ())

    def describe(self) -> list[dict[str, object]]:
        return [recording.describe() for found in self._by_series.values() for recording in found]


@cache
def _read_package() -> tuple[Recording, ...]:
    return tuple(read_recording(path) for path in sorted(RECORDINGS_DIR.glob("*.parquet")))


def read_recording(path: Path) -> Recording:
    """Read one Parquet file: int64 columns in units of 10^-8, provenance in the file's own metadata.

    A file without quote volume gets volume x (open + high + low + close) / 4, and 0 for trades and takers.
    """
    table = pq.read_table(path)
    about = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    bars = np.zeros((len(_COLUMNS), len(table)), dtype=np.int64)
    for at, name in enumerate(_COLUMNS):
        if name in table.column_names:
            bars[at] = table.column(name).to_numpy()
    made_up = tuple(name for name in _COLUMNS if name not in table.column_names)
    if made_up:
        mean_price = bars[OPEN : CLOSE + 1].sum(axis=0) / (4.0 * E8)
        bars[QUOTE] = np.rint(bars[VOLUME] * mean_price)
    return Recording(
        root=about["symbol"],
        interval=about["interval"],
        span=Span(int(about["start_ms"]), int(about["end_ms"])),
        bars=Bars(bars),
        provenance=Provenance(about["original"], about["sha256"], about["source"], about["licence"], made_up),
    )


def _coarser(interval: str) -> list[str]:
    width_ms = WIDTHS_MS[interval]
    return [name for name, wider_ms in WIDTHS_MS.items() if wider_ms > width_ms and wider_ms % width_ms == 0]


def _add_up(base: Recording, interval: str, taken: Sequence[Span]) -> list[Recording]:
    """``base`` at a coarser interval, over the whole coarse bars of its span that ``taken`` leaves free."""
    width_ms = WIDTHS_MS[interval]
    whole = span_or_none(
        -(-base.span.start_ms // width_ms) * width_ms, base.span.end_ms // width_ms * width_ms
    )
    if whole is None:
        return []
    coarse = aggregate(base.bars, width_ms)
    return [
        Recording(
            base.root, interval, free, coarse.cut(free.start_ms, free.end_ms), base.provenance, base.interval
        )
        for free in subtract(whole, taken)
    ]

"""Where market data comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol


@dataclass(frozen=True, slots=True)
class KlinePage:
    """Closed bars of the start of a requested span.

    ``bars`` has schema KLINES and passed ``check_klines``. ``covered`` is the part of the span this page
    answers for completely (it may hold no bar at all); None when none of the span has closed yet. Ask on
    from its end.
    """

    bars: pa.Table
    covered: Span | None


class KlineSource(Protocol):
    """A venue's REST klines; one request per call, under the venue's shared budget."""

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``. VenueError subclasses say what went wrong and whether to retry."""

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol now; answered from a listing at most an hour old."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One bulk file: its address below the archive's root, and the span it holds when complete."""

    path: str
    series: Series
    span: Span


@dataclass(frozen=True, slots=True)
class ArchivedBars:
    """A verified file's bars (schema KLINES, checked) and the sha256 of the file as downloaded."""

    bars: pa.Table
    sha256: str


class KlineArchive(Protocol):
    """A venue's bulk files of klines."""

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        """The files that should be published by now and touch ``span``, ascending, not overlapping; no I/O.

        Whole months come as monthly files, the newest days as daily ones; what is left is for REST.
        """

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        """The smaller files that together hold the same span; empty when there are none."""

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        """Download, verify and parse.

        ArchiveError when the file cannot be used, VenueUnavailableError on network trouble.
        """


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """What a venue's shared budget looks like now."""

    used_weight: int
    weight_limit: int
    waiting: int
    banned_until_ms: int | None


class Venue(Protocol):
    """One exchange as the application sees it; an adapter folder exports a factory of these."""

    code: str
    name: str
    kinds: frozenset[DataKind]
    klines: KlineSource
    kline_archive: KlineArchive | None

    async def server_time_ms(self) -> int:
        """The venue's clock."""

    def limits(self) -> VenueLimits:
        """The shared budget's present state; no I/O."""

    async def close(self) -> None:
        """Close connections; safe to call twice."""


class VenueFactory(Protocol):
    """The entry-point object of group ``markethub.venues``; ``options`` are the venue's own settings."""

    def __call__(self, options: Mapping[str, str]) -> Venue: ...

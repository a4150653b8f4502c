"""The store of series: bars, what is known to be complete, and the log of changes."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from markethub.domain.span import Span
from markethub.domain.symbol import Series

EVER = Span(-62_135_596_800_000, 253_402_300_800_000)
"""All that a store can hold: the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """A claim that the store holds every bar the venue has in ``span``.

    ``source`` says who vouches for it: ``rest``, or ``archive:FILE sha256:HEX``.
    """

    span: Span
    source: str
    checked_ms: int


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What one write did; the three add up to the rows given. ``revision`` is the write's own, or the
    store's newest where nothing had to change."""

    inserted: int
    updated: int
    unchanged: int
    revision: int


@dataclass(frozen=True, slots=True)
class SeriesWrite:
    """What one write brings to a series: the arguments of ``upsert``."""

    series: Series
    bars: pa.Table
    covered: Sequence[Coverage] = ()


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One stored series; the times are open times of its first and last bar, None while it has no bar."""

    series: Series
    rows: int
    first_ms: int | None
    last_ms: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log: ``revision`` touched bars or claims of ``series`` inside ``span``."""

    revision: int
    series: Series
    span: Span


class SeriesStore(Protocol):
    """Bars by series. Thread-safe; every method may block on I/O, so call it off the event loop.

    Unknown series are empty, never an error. Every answer is one consistent snapshot.
    """

    def upsert(
        self, series: Series, bars: pa.Table, covered: Sequence[Coverage] = ()
    ) -> "Future[UpsertCounts]":
        """Write ``bars`` (schema KLINES, ascending, unique) and the coverage claims in one transaction.

        The future ends when the write is durable. An equal stored bar counts as unchanged and gets no
        new revision; a different one is replaced. StoreError if the table breaks the schema; then nothing
        is kept.
        """

    def upsert_many(self, writes: Sequence[SeriesWrite]) -> "Future[list[UpsertCounts]]":
        """Write to many series in one transaction: all of it, or nothing.

        Each write is as an ``upsert`` of its own, one after the other in the order given, with its own counts
        and revision; so a series may come twice, and the later bar wins. StoreError, naming the series, if
        one of the tables or claims breaks the rules. No writes are no counts.
        """

    def read(
        self,
        series: Series,
        span: Span | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> pa.Table:
        """Bars of ``span`` (None: all), ascending, as KLINES or the named columns of it.

        ``limit`` keeps the first rows, or the last ones with ``newest``; the order stays ascending.
        """

    def count_many(self, series: Sequence[Series], span: Span | None = None) -> int:
        """How many bars ``read_many`` would bring; no value column is read."""

    def read_many(
        self, series: Sequence[Series], span: Span | None = None, *, columns: Sequence[str] | None = None
    ) -> Generator[pa.RecordBatch]:
        """Bars of many series: ``place`` (int32), which of ``series`` a bar is of, and columns as ``read``.

        Ascending by place and open time, in batches of bounded size, none of them empty; a series without
        bars in ``span`` is in none. The first step takes one snapshot for all of them, which is held until
        the generator ends or is closed. Steps may be taken on any thread, one at a time. InputError, at the
        call, if a series is named twice.
        """

    def covered(self, series: Series, span: Span) -> list[Coverage]:
        """The coverage claims that touch ``span``, cut to it, ascending; claims may overlap."""

    def holes(self, series: Series, span: Span) -> list[Span]:
        """The runs of grid points in ``span`` without a bar, ascending, whatever the coverage says."""

    def summaries(self) -> list[SeriesSummary]:
        """Every series that has a bar or a coverage claim, ascending by symbol and interval."""

    def changes(self, after_revision: int, limit: int) -> list[Change]:
        """Change-log rows of a greater revision, ascending, at most ``limit``; a write may have several."""

    def revision(self) -> int:
        """The newest revision; 0 for an empty store."""

    def compact(self) -> None:
        """Bring rows into read order; changes no answer, loses nothing, safe to kill at any point."""

    def close(self) -> None:
        """Finish queued writes and release the files; later calls raise StoreError."""

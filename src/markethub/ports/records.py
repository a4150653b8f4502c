"""The store of records: listings, tickers, books, balances, orders, fills, transfers, and rejected rows."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from markethub.domain.span import Span
from markethub.ports.store import Coverage, UpsertCounts
from markethub.tables.records import RecordTable


@dataclass(frozen=True, slots=True)
class OwnerClaims:
    """Claims of coverage about one owner: the store has every row the venue has in their spans.

    ``owner`` is a venue (``OKX``, for its listing), an account (``OKX_MM01``), or one symbol of an account
    (``OKX_MM01 BTC_USDT``). A snapshot that was taken at t claims ``[t, t + 1)``, also when it was empty.
    """

    owner: str
    claims: Sequence[Coverage]


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which rows to read; equal times are ordered by the table's key.

    ``where`` keeps rows whose column has one of the values; ``starts_with`` and ``ends_with`` those whose
    text column begins or ends so, letter for letter. ``span`` selects by the table's time column.
    ``latest_by`` keeps the newest row for each combination of these columns, after all of those. Then rows
    are ordered by time, descending with ``newest_first``, ``offset`` are left out and ``limit``
    kept.
    """

    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    starts_with: Mapping[str, str] = field(default_factory=dict)
    ends_with: Mapping[str, str] = field(default_factory=dict)
    span: Span | None = None
    latest_by: Sequence[str] = ()
    newest_first: bool = False
    offset: int = 0
    limit: int | None = None


class RecordStore(Protocol):
    """Rows by table and key. Thread-safe; every method may block on I/O, so call it off the event loop.

    It shares file, writer and revisions with the store of series. Every answer is one consistent snapshot.
    """

    def upsert_records(
        self, table: RecordTable, rows: pa.Table, covered: Sequence[OwnerClaims] = ()
    ) -> "Future[UpsertCounts]":
        """Write ``rows`` (the table's schema, keys unique, any order) and the claims in one transaction.

        The future ends when the write is durable. An equal stored row counts as unchanged and gets no new
        revision; a different one is replaced. StoreError if the rows break the schema; then nothing is kept.
        """

    def read_records(self, table: RecordTable, query: RecordQuery | None = None) -> pa.Table:
        """The rows of ``query`` (None: all) with the table's schema.

        StoreError for a column the table does not have.
        """

    def count_records(self, table: RecordTable, query: RecordQuery | None = None) -> int:
        """How many rows ``query`` has without its ``offset`` and ``limit``."""

    def covered_records(self, table: RecordTable, owner: str, span: Span) -> list[Coverage]:
        """The claims about ``owner`` that touch ``span``, cut to it, ascending; claims may overlap."""

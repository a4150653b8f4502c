"""Claims of coverage as rows of the table ``coverage``, inside one transaction."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from markethub.domain.span import Span
from markethub.ports.store import Coverage
from markethub.stores.claims import add_claim
from markethub.stores.duckdb.frames import FEW_ROWS, incoming, insert_rows

_Found = tuple[int, int, int, int, str, int]
"""Row id, series, start, end, source and checked time."""


class ClaimRows:
    """The stored claims that new ones may change, and what becomes of them.

    ``told`` are all claims that the transaction may bring, by series id. A row's revision is that of the
    write that gave it its present form.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, told: Iterable[tuple[int, Sequence[Coverage]]]
    ) -> None:
        self._connection = connection
        self._kept: defaultdict[int, list[Coverage]] = defaultdict(list)
        self._row_ids: dict[tuple[int, Coverage], int] = {}
        self._revisions: dict[tuple[int, Coverage], int] = {}
        self._load([(series_id, claim) for series_id, claims in told for claim in claims])

    def add(self, series_id: int, claims: Sequence[Coverage]) -> list[Span]:
        """Take claims in, in order; return the spans of those that told something new."""
        news = []
        for claim in claims:
            after = add_claim(self._kept[series_id], claim)
            if set(after) != set(self._kept[series_id]):
                self._kept[series_id] = after
                news.append(claim.span)
        return news

    def stamp(self, series_id: int, revision: int) -> None:
        """Give ``revision`` to the claims of a series that changed since the last stamp."""
        for claim in self._kept[series_id]:
            key = (series_id, claim)
            if key not in self._row_ids:
                self._revisions.setdefault(key, revision)

    def save(self) -> None:
        """Write the difference."""
        kept = {(series_id, claim) for series_id, claims in self._kept.items() for claim in claims}
        gone = [row_id for key, row_id in self._row_ids.items() if key not in kept]
        new = [key for key in self._revisions if key in kept]
        if gone:
            self._connection.execute("DELETE FROM coverage WHERE rowid IN (SELECT unnest(?))", [gone])
        revisions = pa.array([self._revisions[key] for key in new], pa.int64())
        insert_rows(self._connection, "coverage", _to_table(new).append_column("revision", revisions))

    def _load(self, told: Sequence[tuple[int, Coverage]]) -> None:
        if not told:
            return
        rows = self._find_few(told) if len(told) <= FEW_ROWS else self._find_many(told)
        for row_id, series_id, start_ms, end_ms, source, checked_ms in rows:
            claim = Coverage(Span(start_ms, end_ms), source, checked_ms)
            self._kept[series_id].append(claim)
            self._row_ids[series_id, claim] = row_id

    def _find_few(self, told: Sequence[tuple[int, Coverage]]) -> list[_Found]:
        touching = "(series = ? AND source = ? AND start_ms <= ? AND end_ms >= ?)"
        values: list[int | str] = []
        for series_id, claim in told:
            values += [series_id, claim.source, claim.span.end_ms, claim.span.start_ms]
        return self._connection.sql(
            "SELECT rowid, series, start_ms, end_ms, source, checked_ms FROM coverage WHERE "
            + " OR ".join([touching] * len(told)),
            params=values,
        ).fetchall()

    def _find_many(self, told: Sequence[tuple[int, Coverage]]) -> list[_Found]:
        bounds = [
            min(claim.span.start_ms for _, claim in told),
            max(claim.span.end_ms for _, claim in told),
        ]
        with incoming(self._connection, _to_table(told)):
            return self._connection.sql(
                "SELECT DISTINCT c.rowid, c.series, c.start_ms, c.end_ms, c.source, c.checked_ms "
                "FROM coverage c JOIN incoming i ON c.series = i.series AND c.source = i.source "
                "AND c.start_ms <= i.end_ms AND c.end_ms >= i.start_ms "
                # Zone maps prune by these, not by the join.
                "WHERE c.end_ms >= ? AND c.start_ms <= ?",
                params=bounds,
            ).fetchall()


def _to_table(claims: Sequence[tuple[int, Coverage]]) -> pa.Table:
    return pa.table(
        {
            "series": pa.array([series_id for series_id, _ in claims], pa.int32()),
            "start_ms": pa.array([claim.span.start_ms for _, claim in claims], pa.int64()),
            "end_ms": pa.array([claim.span.end_ms for _, claim in claims], pa.int64()),
            "source": pa.array([claim.source for _, claim in claims], pa.string()),
            "checked_ms": pa.array([claim.checked_ms for _, claim in claims], pa.int64()),
        }
    )

"""Claims of coverage as rows of a table, inside one transaction."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from markethub.domain.span import Span
from markethub.ports.store import Coverage
from markethub.stores.claims import ClaimRule, in_order
from markethub.stores.duckdb.frames import FEW_ROWS, incoming, insert_rows

Owner = tuple[int | str, ...]
"""Whom a claim is about: a series' id, or a table's name and an owner in it."""

_Told = tuple[Owner, Coverage]
_CLAIM_COLUMNS = "start_ms, end_ms, source, checked_ms"


@dataclass(frozen=True, slots=True)
class ClaimTable:
    """A table of claims and its columns that name the owner.

    ``is_logged_whole`` says that the log of what is gone names owners, not spans.
    """

    name: str
    owner: pa.Schema
    is_logged_whole: bool

    @property
    def owner_columns(self) -> list[str]:
        """The columns of the owner, quoted for SQL."""
        return [f'"{name}"' for name in self.owner.names]


SERIES_CLAIMS = ClaimTable("coverage", pa.schema([("series", pa.int32())]), is_logged_whole=False)
RECORD_CLAIMS = ClaimTable(
    "record_coverage", pa.schema([("table", pa.string()), ("owner", pa.string())]), is_logged_whole=True
)


def read_claims(
    connection: duckdb.DuckDBPyConnection, table: ClaimTable, owner: Owner, span: Span
) -> list[Coverage]:
    """The claims about ``owner`` that overlap ``span``, uncut, in no order."""
    is_owner = " AND ".join(f"{column} = ?" for column in table.owner_columns)
    rows = connection.sql(
        f"SELECT {_CLAIM_COLUMNS} FROM {table.name} WHERE {is_owner} AND end_ms > ? AND start_ms < ?",
        params=[*owner, span.start_ms, span.end_ms],
    ).fetchall()
    return [
        Coverage(Span(start_ms, end_ms), source, checked_ms) for start_ms, end_ms, source, checked_ms in rows
    ]


class ClaimRows:
    """The stored claims that new ones may change, and what becomes of them.

    ``told`` are all claims that the transaction may bring, by owner; ``rule`` says how they are taken in. A
    row's revision is that of the write that gave it its present form.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: ClaimTable,
        told: Iterable[tuple[Owner, Sequence[Coverage]]],
        rule: ClaimRule,
    ) -> None:
        self._connection = connection
        self._table = table
        self._rule = rule
        self._kept: defaultdict[Owner, list[Coverage]] = defaultdict(list)
        self._row_ids: dict[_Told, int] = {}
        self._revisions: dict[_Told, int] = {}
        self._load([(owner, claim) for owner, claims in told for claim in claims])

    def add(self, owner: Owner, claims: Sequence[Coverage]) -> list[Span]:
        """Take claims in, in order; return the spans of those that told something new."""
        self._kept[owner], news = self._rule(self._kept[owner], claims)
        return news

    def stamp(self, owner: Owner, revision: int) -> None:
        """Give ``revision`` to the claims about ``owner`` that changed since the last stamp."""
        for claim in self._kept[owner]:
            key = (owner, claim)
            if key not in self._row_ids:
                self._revisions.setdefault(key, revision)

    def save(self) -> None:
        """Write the difference."""
        kept = {(owner, claim) for owner, claims in self._kept.items() for claim in claims}
        gone = [row_id for key, row_id in self._row_ids.items() if key not in kept]
        new = [key for key in self._revisions if key in kept]
        if gone:
            self._connection.execute(
                f"DELETE FROM {self._table.name} WHERE rowid IN (SELECT unnest(?))", [gone]
            )
        revisions = pa.array([self._revisions[key] for key in new], pa.int64())
        rows = _to_table(self._table, new).append_column("revision", revisions)
        insert_rows(self._connection, self._table.name, rows)

    def _load(self, told: Sequence[_Told]) -> None:
        if not told:
            return
        rows = self._find_few(told) if len(told) <= FEW_ROWS else self._find_many(told)
        for row_id, start_ms, end_ms, source, checked_ms, *owner in rows:
            claim = Coverage(Span(start_ms, end_ms), source, checked_ms)
            self._kept[tuple(owner)].append(claim)
            self._row_ids[tuple(owner), claim] = row_id
        self._kept.update({owner: in_order(claims) for owner, claims in self._kept.items()})

    def _find_few(self, told: Sequence[_Told]) -> list[tuple[Any, ...]]:
        columns = self._table.owner_columns
        is_owner = " AND ".join(f"{column} = ?" for column in columns)
        touching = f"({is_owner} AND source = ? AND start_ms <= ? AND end_ms >= ?)"
        values: list[int | str] = []
        for owner, claim in told:
            values += [*owner, claim.source, claim.span.end_ms, claim.span.start_ms]
        return self._connection.sql(
            f"SELECT rowid, {_CLAIM_COLUMNS}, {', '.join(columns)} FROM {self._table.name} WHERE "
            + " OR ".join([touching] * len(told)),
            params=values,
        ).fetchall()

    def _find_many(self, told: Sequence[_Told]) -> list[tuple[Any, ...]]:
        bounds = [
            min(claim.span.start_ms for _, claim in told),
            max(claim.span.end_ms for _, claim in told),
        ]
        columns = self._table.owner_columns
        is_owner = " AND ".join(f"c.{column} = i.{column}" for column in columns)
        with incoming(self._connection, _to_table(self._table, told)):
            return self._connection.sql(
                "SELECT DISTINCT c.rowid, c.start_ms, c.end_ms, c.source, c.checked_ms, "
                + ", ".join(f"c.{column}" for column in columns)
                + f" FROM {self._table.name} c JOIN incoming i ON {is_owner} AND c.source = i.source "
                "AND c.start_ms <= i.end_ms AND c.end_ms >= i.start_ms "
                # Zone maps prune by these, not by the join.
                "WHERE c.end_ms >= ? AND c.start_ms <= ?",
                params=bounds,
            ).fetchall()


def insert_claims(
    connection: duckdb.DuckDBPyConnection, table: ClaimTable, claims: Sequence[_Told], revision: int
) -> None:
    """Write claims, each with its owner, as rows under ``revision``."""
    revisions = pa.array([revision] * len(claims), pa.int64())
    insert_rows(connection, table.name, _to_table(table, claims).append_column("revision", revisions))


def _to_table(table: ClaimTable, claims: Sequence[_Told]) -> pa.Table:
    owners = {
        field.name: pa.array([owner[place] for owner, _ in claims], field.type)
        for place, field in enumerate(table.owner)
    }
    return pa.table(
        owners
        | {
            "start_ms": pa.array([claim.span.start_ms for _, claim in claims], pa.int64()),
            "end_ms": pa.array([claim.span.end_ms for _, claim in claims], pa.int64()),
            "source": pa.array([claim.source for _, claim in claims], pa.string()),
            "checked_ms": pa.array([claim.checked_ms for _, claim in claims], pa.int64()),
        }
    )

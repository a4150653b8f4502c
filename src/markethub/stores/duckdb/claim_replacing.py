"""Claims that are taken back, inside one transaction."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from markethub.domain.span import Span, merge
from markethub.ports.store import EVER, Coverage
from markethub.stores.claims import drop_claims, take_claims
from markethub.stores.duckdb.claim_rows import ClaimTable, Owner, insert_claims


@dataclass(frozen=True, slots=True)
class ReplacedClaims:
    """What becomes of the claims about one owner: rows to delete, claims to write, and the spans of those
    that are not any more what they were.

    Claims that reach into these spans are written anew as well: who follows this store drops all it knows of
    them, and must be told these again.
    """

    table: ClaimTable
    owner: Owner
    stale_rows: Sequence[int]
    new: Sequence[Coverage]
    lost: Sequence[Span]

    def save(self, connection: duckdb.DuckDBPyConnection, revision: int) -> None:
        """Write them under ``revision``."""
        connection.execute(
            f"DELETE FROM {self.table.name} WHERE rowid IN (SELECT unnest(?))", [list(self.stale_rows)]
        )
        insert_claims(connection, self.table, [(self.owner, claim) for claim in self.new], revision)


def replace_claims(
    connection: duckdb.DuckDBPyConnection,
    table: ClaimTable,
    owner: Owner,
    unclaimed: Sequence[Span],
    told: Sequence[Coverage],
) -> ReplacedClaims | None:
    """Take back every claim about ``owner`` inside ``unclaimed``, then take ``told`` in; None if that changes
    nothing."""
    is_owner = " AND ".join(f"{column} = ?" for column in table.owner_columns)
    rows = connection.sql(
        f"SELECT rowid, start_ms, end_ms, source, checked_ms FROM {table.name} WHERE {is_owner}",
        params=list(owner),
    ).fetchall()
    stored = {
        Coverage(Span(start_ms, end_ms), source, checked_ms): row_id
        for row_id, start_ms, end_ms, source, checked_ms in rows
    }
    after = dict.fromkeys(take_claims(drop_claims(stored, unclaimed), told).claims)
    if set(after) == set(stored):
        return None
    lost = merge(claim.span for claim in stored if claim not in after)
    if lost and table.is_logged_whole:
        lost = [EVER]
    stale = {
        claim: None
        for claim in stored
        if claim not in after or any(claim.span.intersect(span) for span in lost)
    }
    new = [claim for claim in after if claim not in stored or claim in stale]
    return ReplacedClaims(table, owner, [stored[claim] for claim in stale], new, lost)

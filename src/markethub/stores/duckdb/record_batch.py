"""The records and their claims of a batch of writes, inside one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.ports.records import OwnerClaims
from markethub.ports.store import UpsertCounts
from markethub.stores.claims import ClaimRule, add_claims
from markethub.stores.duckdb.claim_rows import RECORD_CLAIMS, ClaimRows
from markethub.stores.duckdb.frames import incoming
from markethub.stores.duckdb.group import CHANGED, NEW
from markethub.stores.duckdb.record_group import POSITION, RecordGroup, RecordSql
from markethub.stores.duckdb.record_keys import Hashes, KnownKeys
from markethub.stores.duckdb.state import Stage
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.records import TIME, RecordTable

_BAR_BYTES = 80
_SQL = {name: RecordSql.of(table) for name, table in RECORD_TABLES.items()}


@dataclass(slots=True)
class RecordWrite:
    """One admitted upsert; ``rows`` passed ``admit_records``."""

    table: RecordTable
    rows: pa.Table
    claims: tuple[OwnerClaims, ...]
    future: "Future[UpsertCounts]" = field(default_factory=Future)

    def __str__(self) -> str:
        return f"{len(self.rows)} rows of {self.table.name}"

    @property
    def weight(self) -> int:
        """Its size, in bars that take as much memory: an order book may weigh hundreds."""
        return max(len(self.rows), int(self.rows.nbytes) // _BAR_BYTES)


def apply_record_writes(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    keys: KnownKeys,
    writes: Sequence[RecordWrite],
    claim_rule: ClaimRule = add_claims,
) -> list[UpsertCounts]:
    """Write into the open transaction, as if one write came after the other, and tell what each did."""
    claims = ClaimRows(
        connection,
        RECORD_CLAIMS,
        (((write.table.name, told.owner), told.claims) for write in writes for told in write.claims),
        claim_rule,
    )
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, write in enumerate(writes):
        places[write.table.name].append(place)
    counts: dict[int, UpsertCounts] = {}
    for found in places.values():
        batch = _TableBatch(connection, stage, keys, claims, [writes[place] for place in found])
        counts |= zip(found, batch.apply(), strict=True)
    claims.save()
    return [counts[place] for place in range(len(writes))]


class _TableBatch:
    """Writes to one table."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        stage: Stage,
        keys: KnownKeys,
        claims: ClaimRows,
        writes: Sequence[RecordWrite],
    ) -> None:
        self._connection = connection
        self._stage = stage
        self._keys = keys
        self._claims = claims
        self._writes = writes
        self._table = writes[0].table
        lengths = [len(write.rows) for write in writes]
        self._offsets = np.concatenate(([0], np.cumsum(lengths)))
        self._rows = _join_rows([write.rows for write in writes])
        self._counts: dict[int, UpsertCounts] = {}

    def apply(self) -> list[UpsertCounts]:
        """Apply the writes in rounds."""
        hashes = self._hash()
        for places in _split_rounds([hashes[self._slice(place)] for place in range(len(self._writes))]):
            chosen = np.concatenate([np.arange(len(self._rows))[self._slice(place)] for place in places])
            self._apply_round(places, chosen, hashes[chosen])
        return [self._counts[place] for place in range(len(self._writes))]

    def _hash(self) -> Hashes:
        positions = pa.array(np.arange(len(self._rows)))
        rows = self._rows.select(self._table.key).append_column(POSITION, positions)
        with incoming(self._connection, rows):
            return self._keys.hash_incoming(self._table.key, len(rows))

    def _apply_round(self, places: Sequence[int], chosen: npt.NDArray[np.int64], hashes: Hashes) -> None:
        is_whole = len(chosen) == len(self._rows)
        rows = self._rows if is_whole else self._rows.take(pa.array(chosen))
        may_exist = np.ones(len(rows), np.bool_)
        known = None
        if self._table.time not in self._table.key:
            known = self._keys.of_table(self._table.name, self._table.key)
            may_exist = known.contains(hashes)
        group = RecordGroup(self._table, _SQL[self._table.name], rows, may_exist)
        group.classify(self._connection)
        lengths = [len(self._writes[place].rows) for place in places]
        ends = np.cumsum(lengths)
        revisions = [
            self._count(place, group.status[end - length : end])
            for place, length, end in zip(places, lengths, ends, strict=True)
        ]
        group.store(self._connection, np.repeat(np.array(revisions, np.int64), lengths))
        if known is not None:
            known.add(hashes[group.status == NEW])

    def _count(self, place: int, status: npt.NDArray[np.uint8]) -> int:
        """Settle what a write did, its claims too; return its revision."""
        write = self._writes[place]
        inserted = int(np.count_nonzero(status == NEW))
        updated = int(np.count_nonzero(status == CHANGED))
        told = [
            (self._table.name, claims.owner)
            for claims in write.claims
            if self._claims.add((self._table.name, claims.owner), claims.claims)
        ]
        if inserted or updated or told:
            revision = self._stage.take_record_revision(self._table.name, inserted)
            for owner in told:
                self._claims.stamp(owner, revision)
        unchanged = len(status) - inserted - updated
        self._counts[place] = UpsertCounts(inserted, updated, unchanged, self._stage.revision)
        return self._stage.revision

    def _slice(self, place: int) -> slice:
        return slice(int(self._offsets[place]), int(self._offsets[place + 1]))


def _split_rounds(hashes: Sequence[Hashes]) -> list[list[int]]:
    """Places of writes that can be compared with the table at once: no two of a round share a key.

    Equal keys stay in their order: the later write goes to a later round.
    """
    together = np.concatenate(hashes)
    if len(hashes) == 1 or len(np.unique(together)) == len(together):
        return [list(range(len(hashes)))]
    rounds: defaultdict[int, list[int]] = defaultdict(list)
    next_round: dict[int, int] = {}
    for place, own in enumerate(hashes):
        members = own.tolist()
        number = max((next_round.get(member, 0) for member in members), default=0)
        next_round.update(dict.fromkeys(members, number + 1))
        rounds[number].append(place)
    return [rounds[number] for number in sorted(rounds)]


def _join_rows(parts: Sequence[pa.Table]) -> pa.Table:
    """One table with times as DuckDB has them, without a zone."""
    rows = pa.concat_tables(parts)
    zoneless = pa.schema(
        [field.with_type(pa.timestamp("ms")) if field.type == TIME else field for field in rows.schema]
    )
    # DuckDB scans chunk by chunk, and thousands of tiny ones cost more than one copy.
    return (rows.combine_chunks() if len(parts) > 1 else rows).cast(zoneless)

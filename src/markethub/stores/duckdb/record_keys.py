"""Which keys the tables of records may hold, told from memory."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt

from markethub.stores.duckdb.schema import name_columns

Hashes = npt.NDArray[np.uint64]


class HashSet:
    """A set of 64-bit hashes that only grows: sorted runs, each at least twice as long as the next.

    Eight bytes a member, where a Python set takes about sixty.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._runs: list[Hashes] = []
        self.add(hashes)

    def add(self, hashes: Hashes) -> None:
        """Take the hashes in, in any order; some may be there already."""
        if not len(hashes):
            return
        self._runs.append(np.sort(hashes))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate((self._runs.pop(), self._runs.pop()))
            merged.sort(kind="stable")  # two sorted runs: the stable kind merges them
            self._runs.append(merged)

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each of ``hashes`` is in the set."""
        found = np.zeros(len(hashes), np.bool_)
        for run in self._runs:
            places = np.minimum(run.searchsorted(hashes), len(run) - 1)
            found |= run[places] == hashes
        return found


class KnownKeys:
    """For each table, the hashes of all keys that it holds, and maybe of some more.

    It stands in for an index in the file: a key that is not here is new, without a look at the table. Keys of
    a transaction that failed may stay; they cost a look. The hashes are DuckDB's and not stored anywhere, so
    it does not matter if another version computes others.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._known: dict[str, HashSet] = {}

    def hash_incoming(self, key: Sequence[str], rows: int) -> Hashes:
        """A hash for each of the ``rows`` of the view ``incoming``, which has their ``position``s."""
        columns = name_columns(tuple(key))
        found = self._connection.sql(f"SELECT position, hash({columns}) AS hash FROM incoming").fetchnumpy()
        hashes = np.empty(rows, np.uint64)
        hashes[found["position"]] = found["hash"]
        return hashes

    def of_table(self, table: str, key: Sequence[str]) -> HashSet:
        """The set of a table, read from the file when it is first asked for."""
        if table not in self._known:
            columns = name_columns(tuple(key))
            found = self._connection.sql(f"SELECT hash({columns}) AS hash FROM {table}").fetchnumpy()
            self._known[table] = HashSet(np.asarray(found["hash"], np.uint64))
        return self._known[table]

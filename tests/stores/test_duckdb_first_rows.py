"""The first rows of a table whose extremes were deleted, which DuckDB's pruning of row groups gets wrong."""

from pathlib import Path

import pyarrow as pa

from markethub.domain.selection import EVERYTHING
from markethub.ports.records import RecordQuery
from markethub.ports.replication import Patch, RecordPatch
from markethub.replication.digest import digest_months
from markethub.stores.duckdb import open_duckdb_store
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import fills_at

_DAY = 24 * 60


def test_rows_that_are_gone_hide_none(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    with_extremes = open_duckdb_store(path)
    for day in (5, 6, 100):
        with_extremes.records.upsert_records(FILLS, fills_at(day * _DAY)).result()
    with_extremes.close()
    store = open_duckdb_store(path)  # what is written from now on lies in row groups of its own
    for day in (40, 70):
        store.records.upsert_records(FILLS, fills_at(day * _DAY)).result()
    gone = pa.concat_tables([fills_at(5 * _DAY), fills_at(6 * _DAY)]).select(list(FILLS.key))
    store.replica.apply_patch(Patch(records=[RecordPatch(FILLS, FILLS.empty(), gone)])).result()
    every = store.records.read_records(FILLS).column("fill_id").to_pylist()
    assert every == [f"f{day * _DAY}" for day in (40, 70, 100)]
    for newest_first in (False, True):
        query = RecordQuery(newest_first=newest_first, limit=1)
        [first] = store.records.read_records(FILLS, query).to_pylist()
        assert first["fill_id"] == every[-1 if newest_first else 0]
    assert sorted(digest_months(store.records, FILLS, EVERYTHING)) == ["2021-02", "2021-03", "2021-04"]
    store.close()

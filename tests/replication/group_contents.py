"""What a node's store holds, to the last digit, read from its files."""

from pathlib import Path

from markethub.domain.selection import Selection
from markethub.replication.source import digest_stored_series, digest_stored_table
from markethub.stores.duckdb import open_duckdb_store
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.selected import takes_table

Contents = dict[str, object]
"""The digests of all months, and the claims, by series and by table of records; nothing of empty ones."""


def read_contents(data_dir: Path, selection: Selection) -> Contents:
    """What ``selection`` takes of the store in ``data_dir``; nobody may have it open."""
    store = open_duckdb_store(data_dir / "market.duckdb", read_only=True)
    try:
        contents: Contents = {}
        for summary in store.summaries():
            if selection.takes_series(summary.series):
                found = digest_stored_series(store, summary.series)
                contents[str(summary.series)] = (dict(found.months), list(found.claims))
        for table in RECORD_TABLES.values():
            if takes_table(selection, table):
                told = digest_stored_table(store, table, selection)
                contents[table.name] = (dict(told.months), list(told.claims))
        return {name: held for name, held in contents.items() if held != ({}, [])}
    finally:
        store.close()

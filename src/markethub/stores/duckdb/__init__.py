"""The embedded default store: one DuckDB file, one writing process."""

from markethub.stores.duckdb.opening import open_duckdb_store
from markethub.stores.duckdb.store import DuckdbSeriesStore

__all__ = ["DuckdbSeriesStore", "open_duckdb_store"]

"""Files of version 1, which knew no records and no replicas."""

from pathlib import Path

import duckdb
import pytest

from markethub.domain.errors import StoreError
from markethub.domain.selection import EVERYTHING
from markethub.ports.store import Coverage, SeriesSummary
from markethub.stores.duckdb import open_duckdb_store, opening, schema
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import ALWAYS, claim, claims_of, fills_at, ids_of
from markethub.testing.store_contract import BTC, T0, bars_at, minute_span, minutes, observe, times_of

INTERVALS = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
_BARS = """
CREATE TABLE klines_{name} (
    series INTEGER NOT NULL, open_time TIMESTAMP_MS NOT NULL, open DOUBLE NOT NULL, high DOUBLE NOT NULL,
    low DOUBLE NOT NULL, close DOUBLE NOT NULL, volume DOUBLE NOT NULL, quote_volume DOUBLE, trades BIGINT,
    taker_volume DOUBLE, taker_quote_volume DOUBLE, revision BIGINT NOT NULL
);
"""
_VERSION_1 = """
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE boundary (interval VARCHAR NOT NULL, hot_from_ms BIGINT NOT NULL);
CREATE TABLE fragments (
    interval VARCHAR NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL, level INTEGER NOT NULL
);
CREATE TABLE series (
    id INTEGER NOT NULL, symbol VARCHAR NOT NULL, interval VARCHAR NOT NULL,
    rows BIGINT NOT NULL, first_ms BIGINT, last_ms BIGINT, revision BIGINT NOT NULL,
    cold_last_ms BIGINT, unsorted_from_ms BIGINT
);
CREATE TABLE coverage (
    series INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
    source VARCHAR NOT NULL, checked_ms BIGINT NOT NULL, revision BIGINT NOT NULL
);
CREATE TABLE changes (
    revision BIGINT NOT NULL, series INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL
);
INSERT INTO meta VALUES ('schema_version', '1');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of version 1 with three bars, one of them hot, under revisions up to 7."""
    path = tmp_path / "market.duckdb"
    times = minutes(0, 3)
    with duckdb.connect(path) as connection:
        connection.execute(_VERSION_1)
        for interval in INTERVALS:
            for name in (interval, f"{interval}_hot"):
                connection.execute(_BARS.format(name=name))
            connection.execute("INSERT INTO boundary VALUES (?, ?)", [interval, times[2]])
        connection.execute(
            "INSERT INTO series VALUES (1, 'BTC_USDT.BNC', '1m', 3, ?, ?, 7, ?, NULL)",
            [times[0], times[2], times[1]],
        )
        connection.execute("INSERT INTO coverage VALUES (1, ?, ?, 'rest', ?, 7)", [T0, T0 + 180_000, T0])
        connection.execute("INSERT INTO changes VALUES (7, 1, ?, ?)", [T0, T0 + 180_000])
        for table, open_ms in zip(("klines_1m", "klines_1m", "klines_1m_hot"), times, strict=True):
            connection.execute(
                f"INSERT INTO {table} VALUES (1, make_timestamp_ms(?)::TIMESTAMP_MS, 10, 12, 9, 11, 5, "  # noqa: S608
                "NULL, 3, NULL, NULL, 7)",
                [open_ms],
            )
    return path


def version_of(path: Path) -> str:
    with duckdb.connect(path, read_only=True) as connection:
        found = connection.sql("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
        return str(found[0][0])


def test_a_writer_brings_it_up_to_date(path: Path) -> None:
    store = open_duckdb_store(path)
    assert store.summaries() == [SeriesSummary(BTC, 3, T0, T0 + 120_000, 7)]
    assert times_of(store.read(BTC)) == minutes(0, 3)
    assert store.covered(BTC, minute_span(0, 9)) == [Coverage(minute_span(0, 3), "rest", T0)]
    before = observe(store)
    assert (
        store.records.upsert_records(FILLS, fills_at(1), claims_of("a", claim(0, 1))).result().revision == 8
    )
    store.close()
    assert version_of(path) == "3"
    again = open_duckdb_store(path)
    assert observe(again) == before | {"revision": 8}
    assert ids_of(again.records.read_records(FILLS)) == ["f1"]
    assert again.upsert(BTC, bars_at(minutes(3, 4))).result().revision == 9
    changes = again.replica.read_changes(0, 1, EVERYTHING)  # the old entry tells no number of bars
    assert (changes.upto, [times_of(one.bars) for one in changes.series]) == (7, [minutes(0, 3)])
    assert len(bytes.fromhex(again.replica.store_id)) == 16
    again.close()


def test_a_reader_finds_the_bars_and_no_records(path: Path) -> None:
    store = open_duckdb_store(path, read_only=True)
    assert times_of(store.read(BTC)) == minutes(0, 3)
    assert store.revision() == 7
    for table in RECORD_TABLES.values():
        assert store.records.read_records(table).equals(table.empty())
        assert store.records.count_records(table) == 0
        assert store.records.covered_records(table, "a", ALWAYS) == []
    with pytest.raises(StoreError, match="open it for writing once"):
        _ = store.replica.store_id
    with pytest.raises(StoreError, match="reading changes"):
        store.replica.read_changes(0, 1, EVERYTHING)
    store.close()
    assert version_of(path) == "1"


def test_an_upgrade_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = f"{schema.records_sql()} CREATE TABLE one (a INTEGER); DROP TABLE nowhere;"
    with monkeypatch.context() as patch:
        patch.setattr(opening, "records_sql", lambda: broken)
        with pytest.raises(StoreError, match="nowhere"):
            open_duckdb_store(path)
    assert version_of(path) == "1"
    with duckdb.connect(path, read_only=True) as connection:
        assert len(connection.sql("SHOW TABLES").fetchall()) == 6 + 2 * len(INTERVALS)
    open_duckdb_store(path).close()
    assert version_of(path) == "3"


@pytest.mark.parametrize("version", ["0", "4", "x", "-1"])
def test_other_versions_are_refused(path: Path, version: str) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ?", [version])
    for read_only in (False, True):
        with pytest.raises(StoreError, match="schema version"):
            open_duckdb_store(path, read_only=read_only)
    assert version_of(path) == version

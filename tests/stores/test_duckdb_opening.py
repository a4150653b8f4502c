import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from markethub.domain.errors import NotFoundError, StoreError, StoreLockedError
from markethub.ports.store import Coverage
from markethub.stores.duckdb import open_duckdb_store
from markethub.testing.store_contract import BTC, T0, bars_at, minute_span, minutes, observe

_HOLD = """
    import sys
    from pathlib import Path
    from markethub.stores.duckdb import open_duckdb_store
    store = open_duckdb_store(Path(sys.argv[1]), read_only=sys.argv[2] == "True")
    print("open", flush=True)
    sys.stdin.readline()
    store.close()
"""


def hold(path: Path, *, read_only: bool) -> "subprocess.Popen[str]":
    """Another process that has the store open until a line comes in."""
    command = [sys.executable, "-c", textwrap.dedent(_HOLD), str(path), str(read_only)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with some bars."""
    path = tmp_path / "bars.duckdb"
    store = open_duckdb_store(path)
    store.upsert(BTC, bars_at(minutes(0, 5)), [Coverage(minute_span(0, 9), "rest", T0)]).result()
    store.close()
    return path


def test_what_was_written_is_there_again(path: Path) -> None:
    store = open_duckdb_store(path)
    before = observe(store)
    assert len(before["bars"][str(BTC)]) == 5
    store.compact()
    store.close()
    store = open_duckdb_store(path, read_only=True)
    assert observe(store) == before
    store.close()


def test_revisions_go_on_after_reopening(path: Path) -> None:
    store = open_duckdb_store(path)
    assert store.upsert(BTC, bars_at(minutes(5, 6))).result().revision == 2
    store.close()


def test_folders_are_made(tmp_path: Path) -> None:
    store = open_duckdb_store(tmp_path / "a" / "b" / "bars.duckdb")
    store.close()
    assert (tmp_path / "a" / "b" / "bars.duckdb").exists()


def test_a_store_held_by_a_writer_is_locked(path: Path) -> None:
    with hold(path, read_only=False) as holder:
        for read_only in (False, True):
            with pytest.raises(StoreLockedError, match=r"ask it .* or stop it first"):
                open_duckdb_store(path, read_only=read_only)
        holder.communicate("\n")
    store = open_duckdb_store(path)
    store.close()


def test_readers_share_a_store(path: Path) -> None:
    with hold(path, read_only=True) as holder:
        store = open_duckdb_store(path, read_only=True)
        assert len(store.read(BTC)) == 5
        store.close()
        with pytest.raises(StoreLockedError):
            open_duckdb_store(path)
        holder.communicate("\n")


def test_one_process_opens_a_store_once(path: Path, tmp_path: Path) -> None:
    store = open_duckdb_store(path)
    (tmp_path / "link").symlink_to(path)
    for other in (path, tmp_path / "link", tmp_path / "x" / ".." / path.name):
        with pytest.raises(StoreLockedError, match="in this process already"):
            open_duckdb_store(other)
    store.close()
    open_duckdb_store(path).close()


def test_a_reader_cannot_write(path: Path) -> None:
    store = open_duckdb_store(path, read_only=True)
    for write in (lambda: store.upsert(BTC, bars_at([])), store.compact, store.maintain):
        with pytest.raises(StoreError, match="for reading only"):
            write()
    assert len(store.read(BTC)) == 5
    store.close()


def test_a_reader_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no store at .*missing\.duckdb"):
        open_duckdb_store(tmp_path / "missing.duckdb", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_a_killed_writer_left_in_its_log(path: Path) -> None:
    script = """
        import sys, os, signal
        from pathlib import Path
        from markethub.stores.duckdb import open_duckdb_store
        from markethub.testing.store_contract import BTC, bars_at, minutes
        store = open_duckdb_store(Path(sys.argv[1]))
        store.upsert(BTC, bars_at(minutes(5, 9))).result()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    assert path.with_name(path.name + ".wal").stat().st_size > 0
    store = open_duckdb_store(path, read_only=True)
    assert len(store.read(BTC)) == 9
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.duckdb"
    path.write_bytes(b"time,open,high\n" * 1000)
    with pytest.raises(StoreError, match="damaged or no store"):
        open_duckdb_store(path)
    assert path.read_bytes() == b"time,open,high\n" * 1000


def test_a_damaged_file_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 4096] = bytes(len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_duckdb_store(path)


def test_a_database_of_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE trades (a INTEGER)")
    for read_only in (False, True):
        with pytest.raises(StoreError, match="no MarketHub store"):
            open_duckdb_store(path, read_only=read_only)
    with duckdb.connect(path) as connection:
        assert connection.sql("SHOW TABLES").fetchall() == [("trades",)]


def test_a_newer_schema_is_refused(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '4' WHERE key = 'schema_version'")
    for _ in range(2):  # the refused file is not left open
        with pytest.raises(StoreError, match=r"schema version 4, .* knows 3: update MarketHub"):
            open_duckdb_store(path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create the folder"):
        open_duckdb_store(tmp_path / "file" / "bars.duckdb")

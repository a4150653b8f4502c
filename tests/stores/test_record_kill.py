import subprocess
import sys
from pathlib import Path

from markethub.ports.records import RecordQuery
from markethub.stores.duckdb import open_duckdb_store
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import ALWAYS
from tests.stores import record_child
from tests.stores.record_child import ROWS, page_of

PAGES = 60


def test_kill_9_keeps_every_acknowledged_page_and_no_part_of_one(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    acked = run_child(path, 0, patience=PAGES // 3)
    check_content(path, acked)
    assert run_child(path, acked + 1, patience=None) == PAGES - 1
    check_content(path, PAGES - 1)


def run_child(path: Path, first: int, *, patience: int | None) -> int:
    """Kill the writer after ``patience`` pages (None: never); the last page that it acknowledged."""
    command = [sys.executable, record_child.__file__, str(path), str(first), str(PAGES)]
    acked = first - 1
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            acked = int(line.split()[1])
            if acked - first == patience:
                child.kill()
                # What it had said before it died counts as said.
        child.wait()
        assert child.returncode == (0 if patience is None else -9)
    return acked


def check_content(path: Path, acked: int) -> None:
    """Assert that the file holds the pages up to ``acked``, and each later one wholly or not at all."""
    store = open_duckdb_store(path, read_only=True)
    try:
        claims = store.records.covered_records(FILLS, "OKX_MM01", ALWAYS)
        found = {int(claim.source.split()[1]) for claim in claims}
        assert found >= set(range(acked + 1))
        assert store.records.count_records(FILLS) == len(found) * ROWS
        for number in found:
            rows, told = page_of(number)
            span = told[0].claims[0].span
            assert store.records.read_records(FILLS, RecordQuery(span=span, newest_first=True)).equals(rows)
        assert store.revision() == len(found)
    finally:
        store.close()

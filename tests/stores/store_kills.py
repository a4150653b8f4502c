"""Rounds of kill -9 against a process that writes and compacts, and the proof that nothing was lost."""

import random
import subprocess
import sys
from pathlib import Path

from markethub.domain.span import Span
from markethub.ports.store import SeriesStore
from markethub.replication.digest import digest_store
from markethub.stores.duckdb import open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import T0
from tests.stores import store_child
from tests.stores.store_child import ROWS, set_of, write_of

_ALWAYS = Span(T0 - 10**11, T0 + 10**11)


def kill_rounds(path: Path, *, writes: int, kills: int, chance: random.Random) -> None:
    """Kill the writer ``kills`` times while it brings ``writes`` writes in, then let it finish.

    After each kill the file must open and hold every acknowledged write, and every other one wholly or not at
    all; in the end its digest must be that of an undisturbed store.
    """
    acked: set[int] = set()
    for round_ in range(kills):
        patience = chance.randint(0, 2 * (writes - len(acked)) // (kills - round_))
        acked |= _run_child(path, _first_missing(acked), writes, patience)
        found = check_content(path, acked)
        for number in found:
            assert found.issuperset(set_of(number)), "what is written together is there together"
    rest = _run_child(path, _first_missing(acked), writes, None)
    assert acked | rest == set(range(writes))
    check_content(path, acked | rest)
    undisturbed = MemorySeriesStore()
    for number in range(writes):
        undisturbed.upsert(*write_of(number)).result()
    store = open_duckdb_store(path, read_only=True)
    assert digest_store(store) == digest_store(undisturbed)
    store.close()


def _first_missing(acked: set[int]) -> int:
    """Where to go on; a set of which the last word was not heard is written again as a whole."""
    return set_of(next(number for number in range(len(acked) + 1) if number not in acked))[0]


def _run_child(path: Path, first: int, last: int, patience: int | None) -> set[int]:
    """Start the writer, kill it after ``patience`` lines (None: never), and return what it acknowledged."""
    command = [sys.executable, store_child.__file__, str(path), str(first), str(last)]
    acked = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout):
            if line.startswith("acked"):
                acked.add(int(line.split()[1]))
            if number == patience:
                child.kill()
                # What it had said before it died counts as said.
        child.wait()
        assert child.returncode in ((0,) if patience is None else (0, -9))
    return acked


def check_content(path: Path, acked: set[int]) -> set[int]:
    """Assert that the file holds the acknowledged writes, and each other one wholly or not at all; return
    those it holds."""
    # Reading only, so that the next round starts from what the kill has left.
    store = open_duckdb_store(path, read_only=True)
    try:
        found = _whole_writes(store)
        assert acked <= found
        summaries = store.summaries()
        assert sum(summary.rows for summary in summaries) == len(found) * ROWS
        changes = store.changes(0, 10**6)
        assert [change.revision for change in changes] == list(range(1, len(found) + 1))
        assert {(change.series, change.span) for change in changes} == {
            (write_of(number)[0], write_of(number)[2][0].span) for number in found
        }
        claims = [claim for one in summaries for claim in store.covered(one.series, _ALWAYS)]
        assert {claim.source for claim in claims} == {f"archive:{number}" for number in found}
        return found
    finally:
        store.close()


def _whole_writes(store: SeriesStore) -> set[int]:
    """The numbers of the writes that are there; fails on one that is there in part or not as written."""
    found: set[int] = set()
    for summary in store.summaries():
        bars = store.read(summary.series)
        assert len(bars) == summary.rows
        for number in sorted(set(bars.column("trades").to_pylist())):
            series, written, claims = write_of(number)
            assert series == summary.series
            assert store.read(series, claims[0].span).equals(written)
            found.add(number)
    return found

import random
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.stores.store_kills import check_content, kill_rounds


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    kill_rounds(tmp_path / "bars.duckdb", writes=90, kills=3, chance=random.Random(4))


_FILL = """
    import resource, signal, sys
    from pathlib import Path
    from markethub.domain.errors import StoreError
    from markethub.stores.duckdb import open_duckdb_store
    from tests.stores.store_child import write_of
    store = open_duckdb_store(Path(sys.argv[1]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for number in range(10_000):
        try:
            store.upsert(*write_of(number)).result()
        except StoreError as error:
            print("refused", error, flush=True)
            break
        print("acked", number, flush=True)
    store.close()
"""


def test_a_full_disk_fails_writes_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "bars.duckdb"
    command = [sys.executable, "-c", textwrap.dedent(_FILL), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *acked, refused = done.stdout.splitlines()
    assert refused.startswith("refused writing 40 bars of")
    assert len(acked) > 20
    check_content(path, set(range(len(acked))))

"""A slave of the benchmark, in a process of its own: ``python -m benchmarks.replica_slave URL FILE MODE``.

The group's token comes in the variable ``TOKEN``. ``MODE`` is ``snapshot`` for a slave that has nothing, or
``changes`` for one that followed when the master was empty. Prints what it took as JSON.
"""

import os
import resource
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import uvloop

from markethub.domain.node import NodeAddress
from markethub.domain.selection import EVERYTHING
from markethub.ports.replication import Patch
from markethub.replication.follower import Copied, Follower, Watermark
from markethub.replication.http_source import HttpSource
from markethub.replication.link import Link
from markethub.replication.marks import FOLLOWED_MARK
from markethub.stores.duckdb import open_duckdb_store


async def follow(url: str, path: Path, mode: str) -> dict[str, float]:
    """Catch up, and tell how long it took."""
    where = urlsplit(url)
    address = NodeAddress("master", where.hostname or "", where.port or 0)

    async def hear(_told: str) -> None:
        pass

    link = Link("slave", os.environ["TOKEN"], lambda: "1", hear)
    source = HttpSource(link, address, compression="none", timeout_s=60, bandwidth=None)
    store = open_duckdb_store(path)
    if mode == "changes":
        state = await source.read_state()
        mark = Watermark(state.store_id, state.epoch, 0, EVERYTHING.to_texts())
        store.replica.apply_patch(Patch(marks={FOLLOWED_MARK: mark.to_text()})).result()
    copied: list[Copied] = []
    start_s, cpu_s = time.perf_counter(), time.process_time()
    await Follower(source, store, EVERYTHING, copied.append).catch_up()
    store.close()
    spent_s = time.perf_counter() - start_s
    await link.close()
    return {
        "rows": sum(one.rows for one in copied),
        "wall_s": spent_s,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    url, path, mode = sys.argv[1:]
    print(orjson.dumps(uvloop.run(follow(url, Path(path), mode))).decode())

"""Follows a master into a file until it has everything; to be killed while it does."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from markethub.domain.errors import UnavailableError
from markethub.domain.node import NodeAddress
from markethub.domain.selection import EVERYTHING
from markethub.replication.follower import Follower
from markethub.replication.http_source import HttpSource
from markethub.replication.link import Link
from markethub.stores.duckdb import open_duckdb_store


async def _hear(_told: str) -> None:
    pass


async def main(url: str, token: str, path: str) -> None:
    where = urlsplit(url)
    address = NodeAddress("master", where.hostname or "", where.port or 0)
    link = Link("backup1", token, lambda: "1", _hear)
    source = HttpSource(link, address, compression="lz4", timeout_s=20, bandwidth=None)
    store = open_duckdb_store(Path(path))
    follower = Follower(source, store, EVERYTHING, rows_per_set=10)
    while True:
        try:
            await follower.catch_up()
        except UnavailableError:
            continue
        break
    await link.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

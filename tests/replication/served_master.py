"""A master behind a socket on loopback, in a thread of its own, whose store can be exchanged."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from markethub.api.app import create_api
from markethub.api.connections import BoundedConnection
from markethub.control.database import open_database
from markethub.domain.node import NodeAddress
from markethub.engine.engine import Engine
from markethub.ports.clock import system_clock
from markethub.ports.data_store import DataStore
from markethub.replication.link import Link
from markethub.replication.node import Node
from markethub.services.hub import Hub
from tests.bare_hub import bare_hub, lone_node

TOKEN = "the-token-of-this-group-0123456789"


@dataclass
class ServedMaster:
    """``address`` is where it listens."""

    app: FastAPI
    hub: Hub
    address: NodeAddress

    def hold(self, store: DataStore) -> Node:
        """Serve ``store`` from now on; returns the node that does."""
        node = replace(lone_node(store, system_clock), cluster_token=TOKEN)
        self.put(node)
        return node

    def put(self, node: Node) -> None:
        """Serve as ``node`` from now on."""
        self.app.state.hub = replace(self.hub, node=node)


def link_to(token: str = TOKEN) -> Link:
    """The link of a slave; close it."""

    async def hear(_told: str) -> None:
        pass

    return Link("backup1", token, lambda: "1", hear)


@contextlib.contextmanager
def served_master(folder: Path) -> Iterator[ServedMaster]:
    """Serve while the block lasts; what fails inside is raised here."""
    ready, stop = threading.Event(), threading.Event()
    served: list[ServedMaster] = []
    with ThreadPoolExecutor(1, "served master") as executor:
        running = executor.submit(lambda: asyncio.run(_serve(folder, served, ready, stop)))
        running.add_done_callback(lambda _: ready.set())
        try:
            ready.wait(60)
            if not running.done():
                yield served[0]
        finally:
            stop.set()
            running.result(60)


async def _serve(
    folder: Path, served: list[ServedMaster], ready: threading.Event, stop: threading.Event
) -> None:
    database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
    hub = bare_hub(database, Engine(database, {}), system_clock)
    app = create_api(hub)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        address = NodeAddress("master", "127.0.0.1", int(listener.getsockname()[1]))
        served.append(ServedMaster(app, hub, address))
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving
    await database.close()

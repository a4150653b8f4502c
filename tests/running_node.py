"""Nodes as `markethub serve` runs them, in the test's own event loop, so that a test can look inside."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from markethub.api.access import AccessRules
from markethub.api.app import create_api
from markethub.app import open_hub
from markethub.config import SchedulerSettings, ServerSettings, Settings
from markethub.config.nodes import MasterSettings, NodeSettings, SlaveSettings
from markethub.domain.node import Role
from markethub.services.hub import Hub

GROUP_TOKEN = "token-of-a-group-in-one-loop"


@dataclass(frozen=True, slots=True)
class Places:
    """The two addresses of a group of two."""

    master: int
    slave: int

    def master_settings(self, folder: Path, *, knows_slave: bool = True) -> Settings:
        slaves = [SlaveSettings(name="backup1", host="127.0.0.1", port=self.slave)] if knows_slave else []
        return node_settings(folder / "master", slaves=slaves)

    def slave_settings(self, folder: Path) -> Settings:
        # Hours: what arrives sooner was pushed, or asked for.
        master = MasterSettings(host="127.0.0.1", port=self.master, pull_every_s=7200)
        return node_settings(folder / "slave", Role.SLAVE, "backup1", master=master)


@contextmanager
def held_places() -> Iterator[Places]:
    """Two loopback ports that are ours while the block lasts, also when no node listens there."""
    with _bind(0) as master, _bind(0) as slave:
        yield Places(master.getsockname()[1], slave.getsockname()[1])


def node_settings(
    data_dir: Path,
    role: Role = Role.MASTER,
    name: str = "master",
    *,
    master: MasterSettings | None = None,
    slaves: Sequence[SlaveSettings] = (),
    node: dict[str, Any] | None = None,
) -> Settings:
    told = {"role": role, "name": name, "cluster_token": GROUP_TOKEN} | (node or {})
    return Settings(
        data_dir=data_dir,
        node=NodeSettings(**told),
        master=master,
        slaves=list(slaves),
        server=ServerSettings(drain_s=0),
        scheduler=SchedulerSettings(default_jobs=False),
    )


@asynccontextmanager
async def running_node(
    settings: Settings, port: int, *, cert_file: Path | None = None, key_file: Path | None = None
) -> AsyncIterator[Hub]:
    """Serve the node on the loopback port while the block lasts; with a certificate over HTTPS."""
    with _bind(port) as listener:
        listener.listen(64)
        async with open_hub(settings, port=port) as hub:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_api(hub, access=AccessRules(dms_auth=settings.dms.auth)),
                    lifespan="on",
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=1,
                    ssl_certfile=cert_file,
                    ssl_keyfile=key_file,
                )
            )
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield hub
            finally:
                server.should_exit = True
                await serving


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # What holds the port never listens; a node binds beside it, and nobody who does not ask to share may.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound

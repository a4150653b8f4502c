"""The DMS door of a hub of its own, without a server: requests go straight into the application."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import httpx2
from fastapi import FastAPI

from markethub.api.access import AccessRules, Gate
from markethub.api.app import create_api
from markethub.control.database import open_database
from markethub.domain.node import Role
from markethub.engine.engine import Engine
from markethub.ports.clock import system_clock
from markethub.replication.link import Link
from markethub.replication.node import Node, SlaveNode
from markethub.replication.pushing import Pusher
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource
from markethub.services.access import SCOPES, create_token
from markethub.services.hub import Hub
from markethub.stores.memory import MemorySeriesStore
from tests.bare_hub import bare_hub

CLUSTER_TOKEN = "a-token-of-nodes-in-tests"
Auth = Literal["local", "token", "none"]


@dataclass
class Door:
    """A hub, and one token for each scope by the scope's name."""

    hub: Hub
    tokens: dict[str, str] = field(default_factory=dict)

    def bearer(self, scope: str) -> dict[str, str]:
        """The header of a caller with that scope alone; ``cluster`` is a node of the group."""
        token = CLUSTER_TOKEN if scope == "cluster" else self.tokens[scope]
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def caller(
        self,
        auth: Auth = "local",
        *,
        address: str = "127.0.0.1",
        host: str = "localhost:11183",
        app: FastAPI | None = None,
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Somebody at ``address`` who has written ``host`` into the browser, as it were."""
        app = app or _application(auth)
        app.state.hub = self.hub
        app.state.gate = Gate(app.state.gate.rules)  # without what it knows of tokens of other hubs
        transport = httpx2.ASGITransport(app, client=(address, 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            yield client


@cache
def _application(auth: Auth) -> FastAPI:
    rules = AccessRules(requests_per_minute=0, failed_logins_per_minute=1_000_000, dms_auth=auth)
    return create_api(access=rules)


@asynccontextmanager
async def open_door(
    folder: Path,
    template: Path,
    role: Role = Role.MASTER,
    slaves: Sequence[SlaveNode] = (),
    **changes: object,
) -> AsyncIterator[Door]:
    """The door of a node of ``role`` in a group, with ``changes`` of its Node.

    ``template`` is where an empty control database lies, or will.
    """
    if not template.exists():  # noqa: ASYNC240 - nothing else runs in a test
        await (await open_database(f"sqlite:///{template}")).close()
    database = await open_database(f"sqlite:///{shutil.copy(template, folder / 'control.sqlite')}")
    store = MemorySeriesStore()
    reign = Reign(store, role)
    named = {slave.address.name: slave for slave in slaves}
    link = Link("here", CLUSTER_TOKEN, reign.tell, reign.hear_text)
    timeout_s = 10.0
    node = Node(
        name="here",
        host="localhost",
        port=11183,
        reign=reign,
        store=store,
        source=StoreSource(store, lambda: reign.epoch),
        started_ms=system_clock(),
        cluster_token=CLUSTER_TOKEN,
        link=link,
        slaves=named,
        pusher=Pusher(link, store, named, timeout_s=timeout_s),
        status_timeout_s=timeout_s,
    )
    hub = replace(
        bare_hub(database, Engine(database, {}), system_clock),
        store=store,
        records=store.records,
        node=replace(node, **changes),  # type: ignore[arg-type]  # fields by name
    )
    try:
        door = Door(hub)
        for scope in SCOPES:
            door.tokens[scope], _ = await create_token(database, system_clock(), name=scope, scopes=[scope])
        yield door
    finally:
        await link.close()
        await database.close()
        store.close()

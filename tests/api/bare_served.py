"""A served hub without stores of any size or workers, for tests of the door itself."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from markethub.api.access import AccessRules
from markethub.api.connections import BoundedConnection
from markethub.control.database import open_database
from markethub.engine.engine import Engine
from markethub.services.hub import Hub
from tests.api.served_hub import UNLIMITED, ServedHub, served_hub
from tests.bare_hub import bare_hub


@contextlib.contextmanager
def bare_served(
    folder: Path,
    access: AccessRules = UNLIMITED,
    connection: type[BoundedConnection] = BoundedConnection,
) -> Iterator[ServedHub]:
    """Serve a hub on ``folder / "control.sqlite"`` while the block lasts; what is queued there never runs."""

    @asynccontextmanager
    async def open_hub() -> AsyncIterator[Hub]:
        database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
        try:
            yield bare_hub(database, Engine(database, {}), database.clock)
        finally:
            await database.close()

    with served_hub(open_hub, access, connection) as served:
        yield served

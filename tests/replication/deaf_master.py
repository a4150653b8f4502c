"""A link at whose other end a test listens, or nobody does."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from markethub.domain.errors import UnavailableError
from markethub.domain.node import NodeAddress
from markethub.replication.link import Link

MASTER = NodeAddress("master", "127.0.0.1", 1)


class FakeLink(Link):
    """Keeps what is told, as the JSON that would travel.

    ``is_away`` loses messages before they arrive, ``is_mute`` the answers; ``told`` is set with each message.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.is_away = False
        self.is_mute = False
        self.told = asyncio.Event()
        self.on_arrival: Callable[[dict[str, Any]], None] = lambda _body: None

    async def ask(self, node: NodeAddress, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401
        if self.is_away:
            raise UnavailableError("master does not answer")
        body = orjson.loads(orjson.dumps(options["body"]))
        self.bodies.append(body)
        self.on_arrival(body)
        self.told.set()
        if self.is_mute:
            raise UnavailableError("the answer was lost")
        return {"success": True}

"""HTTP from one node of the group to another."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any

import aiohttp
import orjson

from markethub.domain.errors import InputError, ReplicationError, UnavailableError
from markethub.domain.node import NodeAddress

EPOCH_HEADER = "MarketHub-Epoch"
"""Every message between nodes, and every answer to one, tells the epoch of its sender."""
RUN_HEADER = "MarketHub-Run"
"""Every answer to a node tells the run of its sender, another one after each start."""
NODE_HEADER = "MarketHub-Node"
"""The name of the node that asks."""

_MOST_TOLD = 300


class Link:
    """Asks other nodes, in the name of this one; opened by the first request, owned by one event loop.

    Addresses come from the configuration alone: no redirect is followed, no proxy of the environment asked.
    """

    def __init__(
        self,
        name: str,
        token: str,
        tell: Callable[[], str],
        hear: Callable[[str], Awaitable[None]],
        tls: SSLContext | None = None,
    ) -> None:
        """``token`` is the group's; ``tell`` and ``hear`` are a Reign's: what each request says of the reign
        here, and who takes note of what the answers say of theirs.

        ``tls`` says which certificates to trust; those of the system where it is None.
        """
        self._name = name
        self._token = token
        self._tell = tell
        self._hear = hear
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        node: NodeAddress,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout_s: float,
    ) -> Any:  # noqa: ANN401 - JSON
        """The JSON that ``node`` answers within ``timeout_s`` in all.

        UnavailableError where it does not answer, or cannot now; ReplicationError where it refuses.
        """
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with self.open(node, method, path, params=params, body=body, timeout=limit) as response:
            try:
                return orjson.loads(await response.read())
            except orjson.JSONDecodeError as error:
                raise ReplicationError(f"{node.name} at {node.url} answers {path} with no JSON") from error

    @asynccontextmanager
    async def open(
        self,
        node: NodeAddress,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - silences and totals, which asyncio cannot tell apart
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer of ``node``, to be read inside the block; errors as ``ask``."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            EPOCH_HEADER: self._tell(),
            NODE_HEADER: self._name,
        }
        data = None if body is None else orjson.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._open_session().request(
                method,
                node.url + path,
                params=params,
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                ssl=self._tls or True,
            ) as response:
                await self._note_epoch(node, response)
                if response.status != 200:
                    raise await _explain(node, path, response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise UnavailableError(f"{node.name} at {node.url} does not answer {path}: {reason}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _note_epoch(self, node: NodeAddress, response: aiohttp.ClientResponse) -> None:
        # Only nodes that let our token in tell it, also where the answer is no: a replaced master asks nodes
        # that refuse it for their new role.
        told = response.headers.get(EPOCH_HEADER)
        if told is None or response.status == 401:
            return
        try:
            await self._hear(told)
        except InputError as error:
            raise ReplicationError(f"{node.name} at {node.url} tells no epoch: {error}") from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


async def _explain(
    node: NodeAddress, path: str, response: aiohttp.ClientResponse
) -> UnavailableError | ReplicationError:
    body = await response.content.read(10_000)
    try:
        detail = str(orjson.loads(body)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        detail = "no reason"
    text = f"{node.name} at {node.url} answers {path} with {response.status}: {detail[:_MOST_TOLD]}"
    kind = UnavailableError if response.status in (429, 502, 503, 504) else ReplicationError
    return kind(text)

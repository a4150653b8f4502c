"""News for slaves: a master tells them that there is something to pull."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from markethub.domain.errors import MarketHubError, NotFoundError
from markethub.domain.node import NodeAddress
from markethub.ports.data_store import DataStore
from markethub.replication.link import Link

WAKE_PATH = "/api/dms/replication/wake"
"""What a slave is asked for, with POST: to pull soon."""

_LOOK_S = 0.2
_FIRST_PAUSE_S = 1.0
_LAST_PAUSE_S = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SlaveNode:
    """One node that the configuration lets follow this one."""

    address: NodeAddress
    enabled: bool


@dataclass(slots=True)
class _Listener:
    """One enabled slave; who asks it holds ``asking``, so that there is one request at a time."""

    address: NodeAddress
    news: asyncio.Event = field(default_factory=asyncio.Event)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    problem: type[Exception] | None = None


class Pusher:
    """Tells every enabled slave when the store's revision has moved.

    What is told is only that there is news: a slave that misses it pulls by its own timer. One that does not
    answer is told again with growing pauses, and keeps none of the others waiting.
    """

    def __init__(
        self, link: Link, store: DataStore, slaves: Mapping[str, SlaveNode], *, timeout_s: float
    ) -> None:
        self._link = link
        self._store = store
        self._timeout_s = timeout_s
        self._listeners = {
            name: _Listener(slave.address) if slave.enabled else None for name, slave in slaves.items()
        }
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to push, at first what the slaves may have missed; returns at once."""
        enabled = [one for one in self._listeners.values() if one is not None]
        self._tasks.append(asyncio.create_task(self._watch(enabled), name="push watch"))
        for one in enabled:
            self._tasks.append(asyncio.create_task(self._serve(one), name=f"push {one.address.name}"))

    async def drain(self) -> None:
        """Stop; a request under way is given up."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def push(self, name: str) -> bool:
        """Tell one slave now; whether it has heard. False also for a disabled one, which is not asked.

        NotFoundError where the configuration has no slave of that name. It works before ``start``.
        """
        if name not in self._listeners:
            raise NotFoundError(f"no slave {name[:80]!r} is configured")
        listener = self._listeners[name]
        return listener is not None and await self._tell(listener)

    async def _watch(self, listeners: list[_Listener]) -> None:
        told: int | None = None
        while True:
            try:
                revision = await asyncio.to_thread(self._store.revision)
            except Exception as error:  # noqa: BLE001 - logged; without this loop nobody is told
                # The store is at fault, and whoever writes next is told so; news can wait.
                _log.warning("the store's revision cannot be read now", error=_text(error))
            else:
                if revision != told:
                    told = revision
                    for one in listeners:
                        one.news.set()
            await asyncio.sleep(_LOOK_S)

    async def _serve(self, listener: _Listener) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await listener.news.wait()
            listener.news.clear()
            if await self._tell(listener):
                pause_s = _FIRST_PAUSE_S
                continue
            # Not all slaves of a group at once, when what lies between them comes back.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)
            listener.news.set()

    async def _tell(self, listener: _Listener) -> bool:
        async with listener.asking:
            try:
                await self._link.ask(listener.address, "POST", WAKE_PATH, timeout_s=self._timeout_s)
            except Exception as error:  # noqa: BLE001 - logged; also a full disk here
                _note_problem(listener, error)
                return False
        if listener.problem is not None:
            _log.info("a slave hears of news again", slave=listener.address.name)
        listener.problem = None
        return True


def _note_problem(listener: _Listener, error: Exception) -> None:
    """Log it, once for each kind in a row: a slave that is away is asked for days."""
    if listener.problem is type(error):
        return
    listener.problem = type(error)
    _log.warning(
        "a slave cannot be told of news, and is told again",
        slave=listener.address.name,
        error=_text(error),
        exc_info=None if isinstance(error, MarketHubError) else error,
    )


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__

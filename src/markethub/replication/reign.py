"""Which node of a group may write: the role of this one, and the count of reigns that tells old from new.

Every promotion counts the epoch up. Nodes tell each other theirs with every message. A master that hears of
a higher one has been replaced while it was away: from then on it writes nothing, until somebody makes it a
slave, or promotes it in its turn. All of it lies in a mark of the store, so it goes with the data.
"""

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import Self

import orjson
import structlog

from markethub.domain.errors import ConflictError, ForbiddenError
from markethub.domain.node import Role
from markethub.ports.data_store import DataStore
from markethub.ports.replication import Patch

MARK = "reign"
"""The mark in the store that keeps all this."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    """``promoted_from`` is the role in the configuration that a promotion has overruled.

    ``fenced_by`` is the epoch of the master that has replaced this one.
    """

    epoch: int = 1
    promoted_from: str | None = None
    fenced_by: int | None = None

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        return cls() if text is None else cls(**orjson.loads(text))


class Reign:
    """The reign as this node knows it. Changes are durable before they count; one event loop uses it."""

    def __init__(self, store: DataStore, configured: Role) -> None:
        """Read the store's mark, which blocks; ``configured`` is the role that the settings give."""
        self._store = store
        self._configured = configured
        self._state = _State.from_text(store.replica.read_mark(MARK))
        self._changing = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def role(self) -> Role:
        """A promotion counts as long as the configuration says what it said then."""
        return Role.MASTER if self._state.promoted_from == self._configured else self._configured

    @property
    def epoch(self) -> int:
        """The highest epoch that this node has had or heard of; of a fenced master the one that it had."""
        return self._state.epoch

    @property
    def fenced_by(self) -> int | None:
        """The epoch of whoever has replaced this master; None for one that reigns, and for slaves."""
        return self._state.fenced_by if self.role is Role.MASTER else None

    @property
    def may_write(self) -> bool:
        return self.role is Role.MASTER and self.fenced_by is None

    def require_write(self) -> None:
        """Do nothing where this node may write.

        ForbiddenError on a slave, ConflictError on a master that was replaced.
        """
        if self.role is Role.SLAVE:
            raise ForbiddenError("this node is a slave: it only reads; ask the master")
        if self.fenced_by is not None:
            raise ConflictError(
                f"this master was replaced: a node was promoted with epoch {self.fenced_by}, this one has "
                f"{self.epoch}; make it a slave ([node] role = 'slave'), or promote it to take over again"
            )

    def require_role(self, role: Role) -> None:
        """Do nothing on a node of ``role``; ForbiddenError on others."""
        if self.role is not role:
            raise ForbiddenError(f"only a {role} does this; this node is a {self.role}")

    async def wait_for_change(self) -> None:
        """Return after the next change of role, epoch or fence."""
        await self._changed.wait()

    async def promote(self) -> int:
        """Make this node the master of a new reign; return its epoch. ConflictError if it reigns already."""
        async with self._changing:
            if self.may_write:
                raise ConflictError(f"this node is the master already, with epoch {self.epoch}")
            epoch = max(self._state.epoch, self._state.fenced_by or 0) + 1
            promoted_from = None if self._configured is Role.MASTER else str(self._configured)
            await self._keep(_State(epoch, promoted_from))
            _log.warning("promoted", epoch=epoch)
            return epoch

    async def hear(self, epoch: int) -> None:
        """Take note of another node's epoch; the caller has made sure that it is a node of this group."""
        if epoch <= max(self._state.epoch, self._state.fenced_by or 0):
            return
        async with self._changing:
            if epoch <= max(self._state.epoch, self._state.fenced_by or 0):
                return
            if self.role is Role.MASTER:
                _log.error("replaced: this master writes nothing any more", epoch=self.epoch, by=epoch)
                await self._keep(replace(self._state, fenced_by=epoch))
            else:
                await self._keep(_State(epoch))

    async def settle(self) -> None:
        """At a node's start: forget what the configuration has overtaken since."""
        async with self._changing:
            state = self._state
            if self.role is Role.SLAVE and (state.promoted_from or state.fenced_by):
                await self._keep(_State(max(state.epoch, state.fenced_by or 0)))
            elif self._configured is Role.MASTER and state.promoted_from is not None:
                await self._keep(replace(state, promoted_from=None))

    async def _keep(self, state: _State) -> None:
        text = orjson.dumps(asdict(state)).decode()
        await asyncio.wrap_future(self._store.replica.apply_patch(Patch(marks={MARK: text})))
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

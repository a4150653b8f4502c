"""Which node of a group may write: the role of this one, and the count of reigns that tells old from new.

Every promotion counts the epoch up. Nodes tell each other theirs with every message. A master that hears of
a higher one has been replaced while it was away: from then on it writes nothing, until somebody makes it a
slave, or promotes it in its turn. Two nodes promoted apart from each other count to the same epoch; a seal,
drawn by each promotion, then says which of them goes first, so that one is fenced as soon as either hears of
the other. All of it lies in a mark of the store, so it goes with the data.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

import orjson
import structlog

from markethub.domain.errors import ConflictError, ForbiddenError, InputError, StoreError
from markethub.domain.node import Role
from markethub.ports.data_store import DataStore
from markethub.ports.replication import Patch
from markethub.replication.marks import COPY_MARK, FOLLOWED_MARK, VERIFIED_MARK

MARK = "reign"
"""The mark in the store that keeps all this."""

_TOLD = re.compile(r"([0-9]{1,15})(?:\.([0-9a-f]{8}))?")
_NO_MARKS: Mapping[str, str | None] = {}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    """``promoted_from`` is the role in the configuration that a promotion has overruled.

    ``fenced_by`` and ``fencing_seal`` are those of the master that has replaced this one. ``was_slave`` tells
    whether the configuration made this node a slave when it last started.
    """

    epoch: int = 1
    promoted_from: str | None = None
    fenced_by: int | None = None
    seal: str = ""
    fencing_seal: str = ""
    was_slave: bool = False

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        if text is None:
            return cls()
        try:
            return cls(**orjson.loads(text))
        except TypeError as error:
            raise StoreError(
                f"the store's mark {MARK!r} is of a later version of MarketHub: {error}"
            ) from error

    @property
    def highest(self) -> tuple[int, str]:
        """The newest reign it knows of."""
        return max((self.epoch, self.seal), (self.fenced_by or 0, self.fencing_seal))


class Reign:
    """The reign as this node knows it. Changes are durable before they count; one event loop uses it."""

    def __init__(self, store: DataStore, configured: Role, master_url: str | None = None) -> None:
        """Read the store's mark, which blocks; ``configured`` is the role that the settings give.

        ``master_url`` is where a slave's callers are sent when they want something written. StoreError where
        a later version has written the mark.
        """
        self._store = store
        self._configured = configured
        self._master_url = master_url
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
            where = "" if self._master_url is None else f" at {self._master_url}"
            raise ForbiddenError(f"this node is a slave: it only reads; ask the master{where}")
        if self.fenced_by is not None:
            raise ConflictError(
                f"this master was replaced: a node was promoted with epoch {self.fenced_by}, this one has "
                f"{self.epoch}; start it as a slave ([node] role = 'slave'), or start it again and promote it"
            )

    def require_reign(self) -> None:
        """Do nothing on a master that reigns; ForbiddenError on a slave, ConflictError on one replaced."""
        self.require_role(Role.MASTER)
        self.require_write()

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
            promoted_from = None if self._configured is Role.MASTER else str(self._configured)
            return await self._begin_reign(promoted_from)

    def tell(self) -> str:
        """What messages to other nodes say of the reign: the epoch, and the seal if it was promoted to."""
        return f"{self._state.epoch}.{self._state.seal}" if self._state.seal else str(self._state.epoch)

    async def hear_text(self, text: str) -> None:
        """As ``hear``, of what another node's ``tell`` has said; InputError if no node says such a thing."""
        match = _TOLD.fullmatch(text)
        if match is None:
            raise InputError(f"{text[:40]!r} is not the epoch of a reign")
        await self.hear(int(match[1]), match[2] or "")

    async def hear(self, epoch: int, seal: str = "") -> None:
        """Take note of another node's epoch; the caller has made sure that it is a node of this group."""
        if (epoch, seal) <= self._state.highest:
            return
        async with self._changing:
            if (epoch, seal) <= self._state.highest:
                return
            if self.role is Role.MASTER:
                _log.error("replaced: this master writes nothing any more", epoch=self.epoch, by=epoch)
                await self._keep(replace(self._state, fenced_by=epoch, fencing_seal=seal))
            else:
                await self._keep(replace(self._state, epoch=epoch, seal=seal))

    async def settle(self) -> None:
        """At a node's start: forget what the configuration has overtaken since.

        A replaced master that is configured as a slave becomes one, and so does a promoted slave that was
        replaced in its turn; what they had followed before is forgotten. A slave that is now configured as
        the master begins a reign, as if promoted.
        """
        async with self._changing:
            state = self._state
            forgotten: dict[str, None] = {}
            if self._configured is Role.SLAVE:
                if state.promoted_from is None or state.fenced_by is not None:
                    epoch, seal = state.highest
                    if state.promoted_from is not None or not state.was_slave:
                        # It reigned, and wrote what nobody else has: no watermark of before leads on to that.
                        forgotten = dict.fromkeys((FOLLOWED_MARK, COPY_MARK, VERIFIED_MARK))
                    state = _State(epoch, seal=seal, was_slave=True)
            elif state.was_slave and state.promoted_from is None:
                await self._begin_reign(None)
                return
            else:
                state = replace(state, promoted_from=None, was_slave=False)
            if state != self._state:
                await self._keep(state, forgotten)

    async def _begin_reign(self, promoted_from: str | None) -> int:
        epoch = self._state.highest[0] + 1
        was_slave = self._configured is Role.SLAVE
        await self._keep(_State(epoch, promoted_from, seal=secrets.token_hex(4), was_slave=was_slave))
        _log.warning("this node begins a reign", epoch=epoch)
        return epoch

    async def _keep(self, state: _State, marks: Mapping[str, str | None] = _NO_MARKS) -> None:
        text = orjson.dumps(asdict(state)).decode()
        durable = asyncio.wrap_future(self._store.replica.apply_patch(Patch(marks={MARK: text, **marks})))
        try:
            await asyncio.shield(durable)
        except asyncio.CancelledError:
            # It cannot be taken back: memory must not stay behind the store.
            await asyncio.wait([durable])
            if not durable.exception():
                self._take(state)
            raise
        self._take(state)

    def _take(self, state: _State) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

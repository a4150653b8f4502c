"""What a node does by itself, as its role changes: follow, work, or rest."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum

import structlog

from markethub.domain.node import Role
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from markethub.replication.heralding import hear_slaves, tell_replaced
from markethub.replication.node import Node

_log = structlog.get_logger("markethub.duties")


class Duty(StrEnum):
    """What there is to do: a slave follows, a master that reigns works, one that was replaced rests."""

    FOLLOW = "follow"
    WORK = "work"
    REST = "rest"


class Duties:
    """Starts and stops a node's engine, scheduler, pushes and following as its reign has it.

    A slave's engine and scheduler do not run, so that no handler writes into its store; a promotion starts
    them once the following has ended. A replaced master breaks their work off, and they cannot be started
    again: it rests until its operator has restarted it. ``side_work`` is done beside the engine, and
    cancelled with it.
    """

    def __init__(
        self,
        node: Node,
        engine: Engine,
        scheduler: Scheduler | None,
        side_work: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        self._node = node
        self._engine = engine
        self._scheduler = scheduler
        self._side_work = side_work
        self._duty = Duty.REST
        self._beside: list[asyncio.Task[None]] = []
        self._turning = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the duty of the present role, and from then on that of each later one.

        A master first asks its slaves whether somebody reigns in its place, for at most ``status_timeout_s``.
        """
        if self._wanted() is Duty.WORK:
            await hear_slaves(self._node)
        await self._turn_to(self._wanted())
        self._watching = asyncio.create_task(self._watch(), name="duties")

    async def drain(self) -> None:
        """End everything in order; what is under way ends as its own drain has it."""
        async with self._turning:  # no turn is broken off in the middle
            if self._watching is not None:
                self._watching.cancel()
        if self._watching is not None:
            await asyncio.wait([self._watching])
        await self._turn_to(Duty.REST)

    def _wanted(self) -> Duty:
        reign = self._node.reign
        if reign.role is Role.SLAVE:
            return Duty.FOLLOW
        return Duty.WORK if reign.may_write else Duty.REST

    async def _watch(self) -> None:
        while True:
            while self._wanted() is not self._duty:
                async with self._turning:
                    await self._try_turn()
            await self._node.reign.wait_for_change()

    async def _try_turn(self) -> None:
        try:
            await self._turn_to(self._wanted())
        except Exception:  # noqa: BLE001 - if the loop ended, no later promotion or fence would count
            _log.exception("a duty cannot be taken up; restart this node", duty=str(self._duty))

    async def _turn_to(self, duty: Duty) -> None:
        before, self._duty = self._duty, duty
        if before is duty:
            return
        if before is Duty.FOLLOW and self._node.following is not None:
            await self._node.following.drain()
        elif before is Duty.WORK:
            # A replaced master shall write nothing any more, not even what its work is about to end with.
            await self._stop_work(None if self._node.reign.may_write else 0.0)
        if duty is Duty.FOLLOW and self._node.following is not None:
            await self._node.following.start()
        elif duty is Duty.WORK:
            await self._start_work()
        _log.info("duty", duty=str(duty), role=str(self._node.role), epoch=self._node.reign.epoch)

    async def _start_work(self) -> None:
        await self._engine.start()
        self._beside = [asyncio.create_task(self._side_work(), name="side work")]
        if self._node.reign.epoch > 1 and self._node.master is not None:
            self._beside.append(asyncio.create_task(tell_replaced(self._node), name="tell replaced"))
        if self._scheduler is not None:
            await self._scheduler.start()
        if self._node.pusher is not None:
            await self._node.pusher.start()

    async def _stop_work(self, grace_s: float | None) -> None:
        if self._node.pusher is not None:
            await self._node.pusher.drain()
        if self._scheduler is not None:
            await self._scheduler.drain()
        for task in self._beside:
            task.cancel()
        ends = await asyncio.gather(*self._beside, return_exceptions=True)
        for task, end in zip(self._beside, ends, strict=True):
            if isinstance(end, Exception):
                _log.error("work beside the engine had failed", work=task.get_name(), error=str(end))
        await self._engine.drain(grace_s)

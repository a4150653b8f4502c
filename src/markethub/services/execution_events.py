"""What happens to an execution, told while it happens."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from markethub.control.chunk_pages import count_chunks
from markethub.control.executions import Execution, get_execution
from markethub.control.logs import LogLine, lines_between, newest_line
from markethub.domain.errors import MarketHubError, NotFoundError
from markethub.domain.execution import ChunkStatus
from markethub.services.hub import Hub

BEAT_S = 15.0
_LOOK_EVERY_S = 1.0
_LOOK_AGAIN_S = 0.2
_LATE_S = 1.0
_TAIL_LINES = 200
_PAGE_LINES = 200

_log = structlog.get_logger("markethub.events")


@dataclass(frozen=True, slots=True)
class Seen:
    """An execution as it stood at one moment, and how many of its chunks were in each status."""

    execution: Execution
    counts: Mapping[ChunkStatus, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """The execution has ended, and everything of it has been told."""

    seen: Seen


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing happened for BEAT_S."""


ExecutionEvent = Seen | LogLine | Ended | Quiet


class EventFeeds:
    """The executions that are followed in this process, each looked at once for all who follow it.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._feeds: dict[int, _Feed] = {}
        self._is_closed = False

    def close(self) -> None:
        """End all streams, and those that begin from now on; whoever follows comes back elsewhere."""
        self._is_closed = True
        for feed in self._feeds.values():
            feed.publish()

    async def follow(
        self, hub: Hub, execution_id: int, *, after_line: int = 0, with_lines: bool = True
    ) -> AsyncGenerator[ExecutionEvent]:
        """The state now, each line of the log after that of the id ``after_line``, and what comes until the
        end: states where they change, and lines in the order they were stored, each once.

        An execution that has ended tells its state, its log, and that it has ended. Who takes events slowly
        skips states, never lines. NotFoundError as soon as it is followed, or once it is deleted.
        """
        told: Seen | None = None
        async with self._open(hub, execution_id) as feed:
            while not self._is_closed:
                changed = feed.changed
                if feed.error is not None:
                    raise feed.error
                if feed.seen is not None and feed.seen != told:
                    told = feed.seen
                    yield told
                if with_lines:
                    async for line in feed.lines_after(after_line):
                        after_line = line.id
                        yield line
                if feed.is_over and feed.changed is changed and feed.seen is not None:
                    yield Ended(feed.seen)
                    return
                if feed.changed is changed and not await _wait(changed, BEAT_S):
                    feed.check()
                    yield Quiet()

    @asynccontextmanager
    async def _open(self, hub: Hub, execution_id: int) -> AsyncIterator["_Feed"]:
        feed = self._feeds.get(execution_id)
        if feed is None:
            feed = self._feeds[execution_id] = _Feed(hub, execution_id)
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                if self._feeds.get(execution_id) is feed:
                    del self._feeds[execution_id]
                await feed.close()


class _Feed:
    """One execution, looked at whenever the engine has news of it, and every second at least.

    ``changed`` is set, and replaced by another one, when something has. Lines up to the id ``newest`` are
    stored for good, and those after ``tail_after`` are kept here.
    """

    def __init__(self, hub: Hub, execution_id: int) -> None:
        self._hub = hub
        self._execution_id = execution_id
        self.followers = 0
        self.changed = asyncio.Event()
        self.seen: Seen | None = None
        self.is_over = False
        self.error: MarketHubError | None = None
        self._newest = 0
        self._tail: deque[LogLine] = deque()
        self._tail_after = 0
        # Of lines that several processes write at once, one with a smaller id may appear after a larger one.
        self._may_come_late = hub.database.dialect == "postgresql"
        self._heard = 0
        self._looking = asyncio.create_task(self._look_on(), name=f"events of execution {execution_id}")

    async def close(self) -> None:
        self._looking.cancel()
        await asyncio.wait([self._looking])

    def check(self) -> None:
        """Raise what nobody foresaw, where it ended the looking."""
        if self._looking.done() and not self.is_over and self.error is None:
            self._looking.result()

    def publish(self) -> None:
        """Wake everybody who waits for a change."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def lines_after(self, line_id: int) -> AsyncIterator[LogLine]:
        """The lines after that id, as far as they are known now."""
        last_id = self._newest
        while line_id < last_id:
            lines: Sequence[LogLine]
            if line_id >= self._tail_after:
                lines = [line for line in self._tail if line_id < line.id <= last_id]
                line_id = last_id
            else:
                lines = await self._read(line_id, last_id)
                line_id = lines[-1].id if lines else last_id
            for line in lines:
                yield line

    async def _look_on(self) -> None:
        with self._hub.engine.follow(self._execution_id) as news:
            while not self.is_over and self.error is None:
                news.clear()
                try:
                    await self._look()
                except NotFoundError as error:
                    self.error = error
                    self.publish()
                except MarketHubError as error:
                    # The database is away: that is no news of the execution.
                    _log.warning("execution cannot be followed now", error=str(error))
                await _wait(news, _LOOK_EVERY_S)
                # Much may happen at once, and is told together.
                await asyncio.sleep(_LATE_S if self._may_come_late else _LOOK_AGAIN_S)

    async def _look(self) -> None:
        async with self._hub.database.read() as connection:
            execution = await get_execution(connection, self._execution_id)
            seen = Seen(execution, await count_chunks(connection, execution))
            stored = await newest_line(connection, self._execution_id)
            newest = self._heard if self._may_come_late else stored
            fresh: list[LogLine] = []
            if self.seen is not None and newest > self._newest:
                fresh = await lines_between(
                    connection,
                    self._execution_id,
                    after_id=self._newest,
                    last_id=newest,
                    limit=_TAIL_LINES + 1,
                )
        is_over = execution.status.is_final and newest >= stored
        is_news = seen != self.seen or newest > self._newest or is_over
        self._keep(fresh, newest)
        self._heard, self.seen, self.is_over = stored, seen, is_over
        if is_news:
            self.publish()

    def _keep(self, fresh: Sequence[LogLine], newest: int) -> None:
        if self.seen is None or len(fresh) > _TAIL_LINES:
            # Too many, or what was there before: whoever needs them reads them.
            self._tail.clear()
            self._tail_after = newest
        self._newest = max(newest, self._newest)
        if len(fresh) <= _TAIL_LINES:
            self._tail.extend(fresh)
        while len(self._tail) > _TAIL_LINES:
            self._tail_after = self._tail.popleft().id

    async def _read(self, line_id: int, last_id: int) -> list[LogLine]:
        async with self._hub.database.read() as connection:
            return await lines_between(
                connection, self._execution_id, after_id=line_id, last_id=last_id, limit=_PAGE_LINES
            )


async def _wait(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event came in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True

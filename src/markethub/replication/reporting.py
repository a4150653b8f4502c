"""What a slave writes down about itself, and tells its master again and again until the master has it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import structlog

from markethub.control.replica_states import ReplicaState, keep_state, read_states
from markethub.control.sync_history import list_untold, mark_told
from markethub.domain.errors import MarketHubError
from markethub.domain.node import NodeAddress
from markethub.replication.journal import SyncJournal
from markethub.replication.link import Link

REPORT_PATH = "/api/dms/replication/report"
MOST_ENTRIES = 500
"""Of the history, in one report."""

_SPACING_S = 1.0
_PROGRESS_S = 10.0
_LONGEST_PAUSE_S = 60.0
_MOST_DOUBLINGS = 10
_TIMEOUT_S = 10.0
_log = structlog.get_logger(__name__)


class Reporting:
    """Keeps a slave's state and history in its control database, and tells them to its master.

    At most once a second, and every ten seconds at least. What the master has not acknowledged is told again,
    also after a restart.
    """

    def __init__(self, journal: SyncJournal, link: Link, master: NodeAddress) -> None:
        self._journal = journal
        self._database = journal.database
        self._name = journal.name
        self._link = link
        self._master = master
        self._read_state: Callable[[], Awaitable[ReplicaState]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._problem: str | None = None

    async def read_kept(self) -> ReplicaState | None:
        """The state that was kept last; None if none ever was."""
        async with self._database.read() as connection:
            kept = (await read_states(connection)).get(self._name)
        return None if kept is None else kept.state

    def start(self, read_state: Callable[[], Awaitable[ReplicaState]]) -> None:
        """Begin to report what ``read_state`` tells."""
        self._read_state = read_state
        self._task = asyncio.create_task(self._work())

    async def drain(self) -> None:
        """Stop; what was not written yet is written, but nothing is told any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        try:
            await self._journal.flush()
        except Exception as error:  # noqa: BLE001 - logged; a promotion waits for this end
            is_ours = isinstance(error, MarketHubError)
            _log.warning(
                "the sync history of the last runs is lost",
                error=str(error) or type(error).__name__,
                exc_info=None if is_ours else error,
            )

    def wake(self) -> None:
        """There is something new to report."""
        self._woken.set()

    async def report_now(self) -> None:
        """Write down and tell everything there is; what fails is logged, and tried again later."""
        try:
            async with self._turn:
                await self._journal.flush()
                await self._report()
        except Exception as error:  # noqa: BLE001 - logged; the run that is reported has ended as it has
            self._note_problem(error)
            self.wake()
        else:
            self._problem = None

    async def _work(self) -> None:
        failures = 0
        while True:
            try:
                await self._wait_for_news()
                async with self._turn:
                    if self._journal.is_due:
                        await self._journal.flush()
                    await self._report()
            except Exception as error:  # noqa: BLE001 - logged; without reports the master would see no lag
                failures += 1
                self._note_problem(error)
                self.wake()
            else:
                failures = 0
                self._problem = None
            # Without a bound the power is no float any more after a night without the master.
            await asyncio.sleep(min(_SPACING_S * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE_S))

    async def _wait_for_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PROGRESS_S):
                await self._woken.wait()
        self._woken.clear()

    async def _report(self) -> None:
        assert self._read_state is not None  # noqa: S101 - `start` gave it
        state = await self._read_state()
        async with self._database.begin() as connection:
            await keep_state(connection, self._name, state, self._journal.clock())
        while True:
            async with self._database.read() as connection:
                untold = await list_untold(connection, self._name, MOST_ENTRIES)
            await self._send({"state": asdict(state), "history": [asdict(one.entry) for one in untold]})
            if untold:
                async with self._database.begin() as connection:
                    await mark_told(connection, untold)
            if len(untold) < MOST_ENTRIES:
                return

    async def _send(self, body: Mapping[str, Any]) -> None:
        await self._link.ask(self._master, "POST", REPORT_PATH, body=body, timeout_s=_TIMEOUT_S)

    def _note_problem(self, error: Exception) -> None:
        if str(error) == self._problem:
            return
        self._problem = str(error)
        if isinstance(error, MarketHubError):
            _log.warning("the master cannot be told how this slave stands", error=self._problem)
        else:
            _log.error("the master cannot be told how this slave stands", exc_info=error)

"""The slave's loop: it pulls, verifies, and does what others ask, one run after the other."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import orjson
import structlog

from markethub.control.replica_states import ReplicaState
from markethub.control.values import clean_text
from markethub.domain.errors import MarketHubError, UnavailableError
from markethub.domain.node import NodeAddress
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.ports.replication import Patch
from markethub.replication.follower import Follower, Mode, Verdict, Watermark
from markethub.replication.following import FollowingState
from markethub.replication.journal import SyncJournal
from markethub.replication.link import Link
from markethub.replication.marks import VERIFIED_MARK
from markethub.replication.reporting import Reporting

_PROOF = "verify"
_LEAST_PAUSE_S = 0.5
_LONGEST_ERROR = 300
_MOST_WAITING = 1_000
_log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a slave pulls and verifies by itself, and its longest pause after failures."""

    pull_every_s: float
    verify_every_s: float
    longest_pause_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Verified:
    """A verification against the history ``store_id``; the last three count subjects."""

    store_id: str
    verified_ms: int
    compared: int
    repaired: int
    unsettled: int

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(**orjson.loads(text))


class FollowLoop:
    """A ``Following``; it takes over the hooks of its follower.

    No failure ends it: each is logged once, shown in ``state``, and tried again after a growing pause.
    """

    def __init__(
        self, follower: Follower, journal: SyncJournal, link: Link, master: NodeAddress, pace: Pace
    ) -> None:
        """Nothing runs yet. ``master`` is the node behind the follower's source; it is told by ``link``."""
        self._follower = follower
        self._journal = journal
        self._reporting = Reporting(journal, link, master)
        self._pace = pace
        self._clock = journal.clock
        self._mark: Watermark | None = None
        self._synced_ms: int | None = None
        self._verified: _Verified | None = None
        self._error: str | None = None
        self._proof_error: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._asked: set[asyncio.Task[Any]] = set()
        follower.note = journal.note
        follower.reached = self._note_reached

    @property
    def state(self) -> FollowingState:
        mark, verified = self._mark, self._verified
        return FollowingState(
            synced_ms=self._synced_ms,
            revision=None if mark is None else mark.revision,
            newest=self._follower.newest,
            verified_ms=None if verified is None else verified.verified_ms,
            error=self._problem,
        )

    @property
    def copied_rows(self) -> Mapping[Mode, int]:
        return self._journal.rows

    async def start(self) -> None:
        self._reporting.start(self._read_state)
        self._task = asyncio.create_task(self._follow())

    async def drain(self) -> None:
        running = [task for task in (self._task, *self._asked) if task is not None]
        self._task = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._reporting.drain()

    def wake(self) -> None:
        self._woken.set()

    async def request(self, symbol: Symbol | None, span: Span) -> int:
        return await _join(self._ask_repair(symbol, span))

    def queue(self, symbol: Symbol | None, span: Span) -> None:
        self._ask_repair(symbol, span)

    async def verify(self) -> Verdict:
        return await _join(self._ask(_PROOF, self._verify))

    def _ask_repair(self, symbol: Symbol | None, span: Span) -> "asyncio.Task[int]":
        self._follower.narrow(symbol)

        async def repair() -> int:
            await self._follower.verify(symbol, span)
            return self._journal.run_rows

        return self._ask((symbol, span), repair)

    def _ask(self, what: Hashable, run: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
        """Let a run wait for its turn; who asks for the same as one that waits shares it."""
        if self._task is None:
            raise UnavailableError("this node follows no master now")
        if (waiting := self._waiting.get(what)) is not None:
            return waiting
        if len(self._waiting) >= _MOST_WAITING:
            raise UnavailableError(f"{_MOST_WAITING} requests wait already: ask again when they are done")

        async def run_asked() -> T:
            try:
                async with self._turn:
                    self._waiting.pop(what, None)
                    result = await self._run(run, is_proof=what == _PROOF)
            except Exception:  # not when it is cancelled: a drain waits for nobody's answer
                await self._reporting.report_now()
                raise
            await self._reporting.report_now()
            return result

        task = asyncio.create_task(run_asked())
        self._waiting[what] = task
        self._asked.add(task)
        task.add_done_callback(lambda _: self._forget(what, task))
        return task

    def _forget(self, what: Hashable, task: "asyncio.Task[Any]") -> None:
        self._asked.discard(task)
        if self._waiting.get(what) is task:
            del self._waiting[what]
        if not task.cancelled():
            task.exception()  # mark as seen: noted by _run, and nobody may wait for it

    async def _follow(self) -> None:
        await self._recall()
        failures = 0
        while True:
            self._woken.clear()
            try:
                async with self._turn:
                    await self._run(self._follower.catch_up, mode=Mode.INCREMENTAL)
                async with self._turn:
                    if self._is_verification_due():
                        await self._run(self._verify, is_proof=True)
            except Exception:  # noqa: BLE001 - _run has noted it; a slave that stops following is no replica
                failures += 1
            else:
                failures = 0
            await self._pause(failures)

    async def _run(
        self, run: Callable[[], Awaitable[T]], *, mode: Mode = Mode.FULL, is_proof: bool = False
    ) -> T:
        """Do one run, in its turn; the history has a failure of it under ``mode``.

        What a proof failed for stays in sight until one succeeds.
        """
        self._journal.begin()
        try:
            result = await run()
        except Exception as error:
            self._note_failure(error, mode, is_proof=is_proof)
            raise
        else:
            before = self._problem
            self._error = None
            if is_proof:
                self._proof_error = None
            if before is not None and self._problem is None:
                _log.info("follows the master again")
            return result
        finally:
            self._reporting.wake()

    async def _verify(self) -> Verdict:
        verdict = await self._follower.verify()
        mark = await self._follower.read_mark()
        verified = _Verified(
            "" if mark is None else mark.store_id,
            self._clock(),
            verdict.compared,
            len(verdict.repaired),
            len(verdict.unsettled),
        )
        text = orjson.dumps(asdict(verified)).decode()
        patch = Patch(marks={VERIFIED_MARK: text})
        await asyncio.wrap_future(self._follower.store.replica.apply_patch(patch))
        self._mark, self._verified = mark, verified
        if verdict.repaired:
            _log.error(
                "held other data than the master, and was repaired",
                subjects=len(verdict.repaired),
                first=str(verdict.repaired[0]),
            )
        return verdict

    async def _recall(self) -> None:
        """Take up what was known before the process ended. What cannot be read is not waited for."""
        try:
            self._mark = await self._follower.read_mark()
            text = await asyncio.to_thread(self._follower.store.replica.read_mark, VERIFIED_MARK)
            self._verified = None if text is None else _Verified.from_text(text)
            kept = await self._reporting.read_kept()
        except Exception as error:  # noqa: BLE001 - such as what a newer MarketHub wrote; following goes on without
            _log.warning("cannot tell when this slave had all of its master's data", error=str(error))
            return
        if kept is not None and self._mark is not None and kept.store_id == self._mark.store_id:
            self._synced_ms = self._synced_ms or kept.synced_ms

    async def _read_state(self) -> ReplicaState:
        self._mark = await self._follower.read_mark()
        mark, verified = self._mark, self._verified
        return ReplicaState(
            store_id=None if mark is None else mark.store_id,
            epoch=0 if mark is None else mark.epoch,
            revision=None if mark is None else mark.revision,
            selection=self._follower.selection.to_texts(),
            synced_ms=self._synced_ms,
            verified_ms=None if verified is None else verified.verified_ms,
            compared=None if verified is None else verified.compared,
            repaired=None if verified is None else verified.repaired,
            unsettled=None if verified is None else verified.unsettled,
            error=self._problem,
        )

    def _note_reached(self, mark: Watermark) -> None:
        self._mark = mark
        self._synced_ms = self._clock()

    @property
    def _problem(self) -> str | None:
        return self._error or self._proof_error

    def _note_failure(self, error: Exception, mode: Mode, *, is_proof: bool) -> None:
        text = clean_text(str(error) or type(error).__name__, _LONGEST_ERROR)
        self._journal.fail(mode, text)
        is_known = text in (self._error, self._proof_error)
        if is_proof:
            self._proof_error = text
        else:
            self._error = text
        if not is_known:
            is_ours = isinstance(error, MarketHubError)
            _log.warning("cannot follow the master", error=text, exc_info=None if is_ours else error)

    def _is_verification_due(self) -> bool:
        verified = self._verified
        if (
            self._proof_error is not None
            or verified is None
            or (self._mark is not None and verified.store_id != self._mark.store_id)
        ):
            return True
        # A clock set back by years must not put the proof off for as long.
        waited_s = (self._clock() - verified.verified_ms) / 1000
        return not 0 <= waited_s < self._pace.verify_every_s

    async def _pause(self, failures: int) -> None:
        """Wait for news or the timer; after failures ever longer, and a moment even if there is news."""
        rest_s = self._pace.pull_every_s
        if failures:
            longest_s = min(_LEAST_PAUSE_S * 2.0 ** min(failures, 30), self._pace.longest_pause_s)
            least_s = min(_LEAST_PAUSE_S, longest_s)
            rest_s = random.uniform(0.5, 1.0) * longest_s - least_s  # noqa: S311 - no secret
            await asyncio.sleep(least_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(rest_s, 0.0)):
                await self._woken.wait()


async def _join(task: "asyncio.Task[T]") -> T:
    """The task's result; the task goes on when the caller is cancelled."""
    await asyncio.wait([task])
    if task.cancelled():
        raise UnavailableError("this node stopped following its master")
    return task.result()
